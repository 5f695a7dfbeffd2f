// <wechat-cashier data-params='{…}'>: opens WeChat's own cashier. Whether it was paid is the hub's to say, not ours.
"use strict";

const PATIENCE_MS = 3000;

class WechatCashier extends HTMLElement {
  connectedCallback() {
    this.querySelector("button").addEventListener("click", () => this.open());
  }

  open() {
    if (window.WeixinJSBridge) {
      this.ask();
      return;
    }
    const late = setTimeout(() => { this.querySelector("[role=status]").hidden = false; }, PATIENCE_MS);
    document.addEventListener("WeixinJSBridgeReady", () => { clearTimeout(late); this.ask(); }, { once: true });
  }

  ask() {
    const params = JSON.parse(this.dataset.params);
    window.WeixinJSBridge.invoke("getBrandWCPayRequest", params, (answer) => {
      const left = answer.err_msg === "get_brand_wcpay_request:cancel";
      this.dispatchEvent(new CustomEvent("cashier-left", { bubbles: true, detail: { refused: left } }));
    });
  }
}

customElements.define("wechat-cashier", WechatCashier);
