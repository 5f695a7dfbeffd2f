// Lists: filters apply at once, drop-downs close, and the bulk bar follows the ticks. Without this the buttons do it.
(() => {
  "use strict";

  document.addEventListener("click", (event) => {
    for (const open of document.querySelectorAll("details.drop[open], .bar details[open]")) {
      if (!open.contains(event.target)) open.open = false;
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      const open = event.target.closest?.("details.drop[open]");
      if (open) {
        open.open = false;
        open.querySelector("summary").focus();
      }
    }
    if (event.key === "/" && !/INPUT|TEXTAREA|SELECT/.test(document.activeElement.nodeName)) {
      const search = document.querySelector("input[type=search]");
      if (search) {
        event.preventDefault();
        search.focus();
      }
    }
  });

  // An empty search is no parameter; what was open, and where the focus was, stays when the filters are drawn anew.
  let opened = [];
  let focused = "";
  document.addEventListener("htmx:configRequest", (event) => {
    for (const [name, value] of [...event.detail.parameters.entries()]) if (value === "") event.detail.parameters.delete(name);
    const columns = [...document.querySelectorAll("#facet-columns input")];
    if (columns.every((box) => box.checked === box.hasAttribute("data-usual"))) event.detail.parameters.delete("col");
  });
  document.addEventListener("htmx:beforeSwap", () => {
    opened = [...document.querySelectorAll("#facets details[open]")].map((one) => one.id);
    focused = document.activeElement?.closest("#facets") ? document.activeElement.id : "";
  });
  document.addEventListener("htmx:afterSettle", () => {
    for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
    if (focused && document.activeElement === document.body) document.getElementById(focused)?.focus();
  });

  const boxes = () => [...document.querySelectorAll("#list input[name=id]")];

  function count() {
    const bar = document.querySelector(".bulk");
    if (!bar) return;
    const all = boxes();
    const ticked = all.filter((box) => box.checked).length;
    const head = document.querySelector("#pick-all");
    if (head) {
      head.checked = ticked > 0 && ticked === all.length;
      head.indeterminate = ticked > 0 && ticked < all.length;
    }
    const whole = bar.querySelector("input[name=whole]");
    if (ticked < all.length) whole.checked = false;
    whole.closest("label").classList.toggle("hidden", !(ticked === all.length && Number(bar.dataset.total) > ticked));
    const n = whole.checked ? Number(bar.dataset.total) : ticked;
    bar.classList.toggle("open", n > 0);
    bar.querySelector("output").textContent = bar.dataset.count.replace("{n}", n);
  }

  document.addEventListener("change", (event) => {
    if (event.target.id === "pick-all") for (const box of boxes()) box.checked = event.target.checked;
    if (event.target.closest("#list")) count();
  });
  document.addEventListener("htmx:afterSwap", count);
  document.addEventListener("DOMContentLoaded", count);
  window.addEventListener("pageshow", count);
})();
