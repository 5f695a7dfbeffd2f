// One WebSocket per page. Elements say what they watch (data-watch) and get every change by their take(change).
(() => {
  "use strict";
  const root = document.documentElement;
  const watchers = new Map();
  let socket = null;
  let tries = 0;
  let planned = 0;
  let banner = 0;

  const page = JSON.parse(document.querySelector("meta[name=meterhub]")?.content || "{}");
  // The page's clock follows the server's, so that ages are right on a machine whose clock is not.
  const skew = page.now ? page.now - Date.now() : 0;
  const now = () => Date.now() + skew;

  function send() {
    planned = 0;
    if (socket?.readyState === WebSocket.OPEN) {
      socket.send(JSON.stringify({ watch: [...watchers.keys()] }));
    }
  }

  function plan() {
    planned ||= setTimeout(send, 30);
    if (!socket && watchers.size) open();
  }

  function watch(element) {
    const id = element.dataset.watch;
    if (!id) return;
    if (!watchers.has(id)) watchers.set(id, new Set());
    watchers.get(id).add(element);
    plan();
  }

  function unwatch(element) {
    const id = element.dataset.watch;
    const group = watchers.get(id);
    if (!group) return;
    group.delete(element);
    if (!group.size) watchers.delete(id);
    plan();
  }

  function receive(event) {
    const changes = JSON.parse(event.data);
    if (!Array.isArray(changes)) return;
    for (const change of changes) {
      for (const element of watchers.get(change.id) || []) element.take(change);
    }
  }

  function open() {
    if (!page.live) return;
    socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${page.live}`);
    socket.onopen = () => {
      tries = 0;
      clearTimeout(banner);
      banner = 0;
      root.dataset.live = "up";
      send(); // the server answers with the present values: that is the catch-up
      document.dispatchEvent(new Event("meterhub:up"));
    };
    socket.onmessage = receive;
    socket.onclose = (event) => {
      if (event.code === 4401) return location.reload();
      banner ||= setTimeout(() => (root.dataset.live = "down"), 1500);
      setTimeout(open, Math.min(15000, 500 * 2 ** tries++));
    };
  }

  window.addEventListener("pagehide", () => {
    if (socket) socket.onclose = null;
    socket?.close();
    socket = null;
  });
  window.addEventListener("pageshow", (event) => event.persisted && location.reload());

  window.MeterHub = { watch, unwatch, now, page };
})();
