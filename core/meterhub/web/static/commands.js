// <command-strip>: a command from queued to its end; <live-part>: any piece that follows what it watches.
// The server draws both; here they are fetched anew when the thing they watch moves.
(() => {
  "use strict";
  const { watch, unwatch } = window.MeterHub;
  const POLL_MS = 2000; // commands ask by themselves while the socket is down

  class LivePart extends HTMLElement {
    connectedCallback() {
      if (this.hasAttribute("data-final")) return;
      watch(this);
      if (this.localName !== "command-strip") return;
      this.timer = setInterval(() => document.documentElement.dataset.live !== "up" && this.take(), POLL_MS);
    }
    disconnectedCallback() {
      unwatch(this);
      clearInterval(this.timer);
    }
    async take(change) {
      if (change && String(change.v) === this.dataset.v) return;
      if (change) this.dataset.v = String(change.v);
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
      const fresh = new DOMParser().parseFromString(html, "text/html").getElementById(this.id);
      if (!fresh) return;
      this.className = fresh.className;
      this.replaceChildren(...fresh.childNodes);
      window.htmx?.process(this);
      if (!fresh.hasAttribute("data-final")) return;
      this.setAttribute("data-final", "");
      this.disconnectedCallback();
    }
  }
  customElements.define("live-part", class extends LivePart {});
  customElements.define("command-strip", class extends LivePart {});

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
    if (event.target.closest("[data-print]")) window.print();
    const copied = event.target.closest("[data-copy]");
    if (copied) navigator.clipboard?.writeText(copied.dataset.copy).then(() => copied.classList.add("done"));
  });
  document.addEventListener("htmx:beforeRequest", (event) => event.target.closest?.("dialog")?.close());
})();
