// <command-strip>: a command from queued to its end. The server draws it; here it is fetched anew when the run moves.
(() => {
  "use strict";
  const { watch, unwatch } = window.MeterHub;
  const POLL_MS = 2000; // only while the socket is down

  customElements.define("command-strip", class extends HTMLElement {
    connectedCallback() {
      if (this.hasAttribute("data-final")) return;
      watch(this);
      this.timer = setInterval(() => document.documentElement.dataset.live !== "up" && this.take(), POLL_MS);
    }
    disconnectedCallback() {
      unwatch(this);
      clearInterval(this.timer);
    }
    async take() {
      if (this.asking) return void (this.again = true);
      this.asking = true;
      this.again = false;
      try {
        const answer = await fetch(this.dataset.href, { headers: { "HX-Request": "true" } });
        if (answer.ok) this.place(await answer.text());
      } catch { /* the next change or the timer asks again */ }
      this.asking = false;
      if (this.again) this.take();
    }
    place(html) {
      const fresh = new DOMParser().parseFromString(html, "text/html").querySelector("command-strip");
      if (!fresh) return;
      this.replaceChildren(...fresh.childNodes);
      if (!fresh.hasAttribute("data-final")) return;
      this.setAttribute("data-final", "");
      this.disconnectedCallback();
      window.htmx?.process(this);
    }
  });

  // Dialogs: opened by a button that names them, closed by their cancel buttons and by sending.
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog]");
    if (opener) {
      event.preventDefault();
      document.getElementById(opener.dataset.dialog)?.showModal();
    }
    const closer = event.target.closest("[data-close]");
    if (closer) closer.closest("dialog")?.close();
    if (event.target.nodeName === "DIALOG") event.target.close();
    const copied = event.target.closest("[data-copy]");
    if (copied) navigator.clipboard?.writeText(copied.dataset.copy).then(() => copied.classList.add("done"));
  });
  document.addEventListener("htmx:beforeRequest", (event) => event.target.closest?.("dialog")?.close());
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.successful && event.target.matches?.("form[data-once]")) {
      event.target.reset();
      const key = event.target.querySelector("input[name=key]");
      if (key) key.value = `page-${crypto.randomUUID?.() || Math.random().toString(36).slice(2)}`;
    }
  });
})();
