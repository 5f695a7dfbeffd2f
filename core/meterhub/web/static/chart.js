// <reading-chart>: draws the table that stands beside it (its twin), so that both always show the same.
(() => {
  "use strict";
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function series(table, name) {
    return [...table.querySelectorAll(`tbody tr`)].map((row) => {
      const text = row.dataset[name];
      return text === undefined || text === "" ? null : Number(text);
    });
  }

  customElements.define("reading-chart", class extends HTMLElement {
    connectedCallback() {
      this.table = document.getElementById(this.dataset.table);
      this.sizes = new ResizeObserver(() => this.plot?.setSize(this.size()));
      this.themes = new MutationObserver(() => this.draw());
      this.themes.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
      this.sizes.observe(this);
      this.draw();
    }
    disconnectedCallback() {
      this.sizes?.disconnect();
      this.themes?.disconnect();
      this.plot?.destroy();
    }
    size() {
      return { width: Math.max(200, this.clientWidth), height: 248 };
    }
    draw() {
      this.plot?.destroy();
      if (!this.table || !window.uPlot) return;
      const times = series(this.table, "t").map((ms) => ms / 1000);
      if (!times.length) return;
      const data = [times, series(this.table, "v")];
      const bars = this.dataset.form === "bars";
      const accent = css("--accent");
      const look = { stroke: accent, width: 2, points: { show: times.length < 60, size: 5, fill: css("--surface") }, spanGaps: false };
      const shapes = [{}, bars ? { ...look, width: 0, fill: accent + "cc", points: { show: false }, paths: uPlot.paths.bars({ size: [0.68, 40], radius: 0.15 }) } : look];
      if (this.table.querySelector("tr[data-before]")) {
        data.push(series(this.table, "before"));
        shapes.push({ stroke: css("--edge"), width: 1.5, dash: [4, 4], points: { show: false }, paths: bars ? uPlot.paths.stepped({ align: 0 }) : undefined });
      }
      this.plot = new uPlot(this.options(shapes, bars, times), data, this);
    }
    options(shapes, bars, times) {
      const half = bars && times.length > 1 ? (times[1] - times[0]) / 2 : 0;
      const zone = this.dataset.zone;
      const locale = document.documentElement.lang;
      const axis = { stroke: css("--dim"), font: "12px system-ui", grid: { stroke: css("--line"), width: 1 }, ticks: { show: false } };
      const hour = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", hour12: false, timeZone: zone });
      const day = new Intl.DateTimeFormat(locale, { month: "numeric", day: "numeric", timeZone: zone });
      const digits = new Intl.NumberFormat(locale, { maximumSignificantDigits: 7 });
      const label = (seconds, step) => (step < 86400 ? hour : day).format(seconds * 1000);
      return {
        ...this.size(),
        tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
        scales: { x: { range: (plot, first, last) => [first - half, last + half] }, y: { range: (plot, low, high) => range(low, high, bars) } },
        axes: [
          { ...axis, size: 34, grid: { show: false }, values: (plot, ticks, place, space, step) => ticks.map((one) => label(one, step)) },
          { ...axis, size: 64, values: (plot, ticks) => ticks.map((one) => digits.format(one)) },
        ],
        series: shapes,
        cursor: { y: false, points: { size: 8 } },
        hooks: { setCursor: [(plot) => this.tell(plot)] },
        legend: { show: false },
        padding: [12, 12, 0, 0],
      };
    }
    tell(plot) {
      const note = document.getElementById(this.dataset.note);
      const row = plot.cursor.idx == null ? null : this.table.querySelectorAll("tbody tr")[plot.cursor.idx];
      if (note) note.textContent = row ? [...row.cells].map((one) => one.textContent.trim()).join("  ·  ") : note.dataset.idle;
    }
  });

  function range(low, high, bars) {
    if (low === null) return [0, 1];
    const room = (high - low || Math.abs(high) || 1) * 0.08;
    return [bars || low === 0 ? Math.min(0, low) : low - room, high + room];
  }
})();
