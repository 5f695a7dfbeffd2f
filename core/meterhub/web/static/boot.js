// Runs before the first paint: says that scripts work, so that pages can hide what is only for browsers without.
document.documentElement.classList.add("js");
// A form that leads to another page shows that it was sent, however long the answer takes; coming back shows it afresh.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.target || form.hasAttribute("hx-post")) return;
  event.submitter?.setAttribute("aria-busy", "true");
});
window.addEventListener("pageshow", () => {
  for (const one of document.querySelectorAll("form [aria-busy]")) one.removeAttribute("aria-busy");
});
