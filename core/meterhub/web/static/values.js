// <age-text>, <live-value>, <status-pill>: figures that change in place, without moving anything.
(() => {
  "use strict";
  const { watch, unwatch, now, page } = window.MeterHub;
  const ages = new Set();

  function words(ms) {
    const seconds = Math.max(0, Math.floor((now() - ms) / 1000));
    const [text, unit] =
      seconds < 60 ? [page.ages.s, 1] : seconds < 3600 ? [page.ages.min, 60] : seconds < 172800 ? [page.ages.h, 3600] : [page.ages.d, 86400];
    return text.replace("%(n)d", Math.floor(seconds / unit));
  }

  function tick() {
    for (const element of ages) element.show();
  }
  setInterval(tick, 1000);

  const grouped = (text) => {
    const [whole, rest] = text.split(".");
    return whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",") + (rest === undefined ? "" : "." + rest);
  };

  customElements.define("live-value", class extends HTMLElement {
    connectedCallback() { watch(this); }
    disconnectedCallback() { unwatch(this); }
    take({ v, q, t }) {
      const ms = typeof t === "string" ? Date.parse(t) : t || 0;
      const text = this.querySelector(".text");
      const words = this.words(v);
      const changed = text.textContent !== words;
      text.textContent = words;
      this.dataset.q = words === "–" ? "" : q || "";
      this.dataset.t = ms;
      const age = this.closest(".value, .lead")?.querySelector("age-text");
      if (age) age.dataset.t = ms;
      const answered = document.querySelector("#answered age-text");
      if (answered && ms > Number(answered.dataset.t)) answered.dataset.t = ms;
      const use = this.querySelector(".word-icon use");
      const icons = use && JSON.parse(this.dataset.icons || "{}");
      if (icons && icons[String(v)]) use.setAttribute("href", use.getAttribute("href").replace(/#.*/, "#" + icons[String(v)]));
      if (!changed) return;
      delete this.dataset.fresh;
      requestAnimationFrame(() => (this.dataset.fresh = ""));
    }
    words(v) {
      if (v === null || v === undefined || v === "") return "–";
      if (this.dataset.kind === "secret") return "••••••";
      const named = this.dataset.words ? JSON.parse(this.dataset.words)[String(v)] : undefined;
      if (named !== undefined) return named;
      return ["number", "money"].includes(this.dataset.kind) ? grouped(String(v)) : String(v);
    }
    fresh(ms) {
      if (!ms || !this.dataset.freshS || this.dataset.q === "invalid") return;
      const stale = now() - ms > Number(this.dataset.freshS) * 1000;
      if (stale && this.dataset.q !== "stale") this.dataset.q = "stale";
    }
  });

  customElements.define("age-text", class extends HTMLElement {
    static observedAttributes = ["data-t"];
    connectedCallback() { ages.add(this); this.show(); }
    disconnectedCallback() { ages.delete(this); }
    attributeChangedCallback() { this.show(); }
    show() {
      const ms = Number(this.dataset.t);
      const text = ms ? words(ms) : "–";
      if (this.textContent !== text) this.textContent = text;
      const value = this.closest(".value, .lead")?.querySelector("live-value");
      if (value) value.fresh(ms);
    }
  });

  // A tile wears the tone of its status, and the head above it counts the statuses below.
  function colour(tile, pill) {
    const tone = [...pill.classList].find((one) => one.startsWith("tone-"));
    tile.className = `tile ${tone}`;
    const block = tile.closest(".wall > section");
    for (const count of block?.querySelectorAll("h2 .count") || []) {
      const n = block.querySelectorAll(`.tile status-pill[data-status="${count.dataset.status}"]`).length;
      count.lastElementChild.textContent = n;
      count.hidden = !n;
    }
  }

  customElements.define("status-pill", class extends HTMLElement {
    connectedCallback() { watch(this); }
    disconnectedCallback() { unwatch(this); }
    take({ v }) {
      const pill = document.querySelector(`#statuses`)?.content.querySelector(`[data-status="${v}"] > *`);
      if (!pill || this.dataset.status === v) return;
      this.dataset.status = v;
      const copy = pill.cloneNode(true);
      if (this.dataset.classes) copy.classList.add(...this.dataset.classes.split(" "));
      this.replaceChildren(copy);
      const tile = this.closest(".tile");
      if (tile) colour(tile, copy);
    }
  });
})();
