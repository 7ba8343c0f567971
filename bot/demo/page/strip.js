// The strip of controls: what can happen at the providers and to the bot, and the log of what did.

import { post } from "./net.js";
import { element, icon } from "./dom.js";

export class Strip {
  constructor(node, stage, close) {
    this.node = node;
    this.switches = new Map();
    const head = element("header", { class: "strip-head" }, element("h2", { text: "Make something happen" }),
      element("button", { type: "button", class: "icon-only strip-close", title: "Close", onclick: close }, icon("close")));
    const groups = stage.providers.map((provider) => this.provider(provider, stage.acts));
    this.entries = element("ol", { class: "log", "data-testid": "log" });
    this.quiet = element("p", { class: "quiet", text: "Nothing yet. What you make happen is listed here." });
    node.replaceChildren(head, element("div", { class: "strip-body" }, ...groups, this.bot()),
      element("section", { class: "log-part" }, element("h3", { text: "What happened" }), this.quiet, this.entries));
    this.fill(stage);
  }

  // Whether it stands beside the chats; on a narrow screen it comes up from behind its button.
  isAside() { return document.getElementById("strip-toggle").offsetParent === null; }

  fill(stage) {
    this.entries.replaceChildren();
    for (const entry of stage.log) this.note(entry);
    this.setDown(stage.down);
  }

  provider(provider, acts) {
    const power = element("button", {
      type: "button", class: "switch", role: "switch", "data-testid": `control-down-${provider.name}`,
      onclick: () => this.play(power, { provider: provider.name, down: power.getAttribute("aria-checked") === "true" }),
    }, element("span", { class: "switch-word" }), element("i"));
    this.switches.set(provider.name, power);
    const own = acts.filter((act) => act.provider === provider.name);
    const hints = own.filter((act) => act.hint).map((act) => element("p", { class: "hint-text", text: act.hint }));
    return element("section", { class: "provider", "data-testid": `provider-${provider.name}` },
      element("div", { class: "provider-head" }, element("h3", { text: provider.title }), power),
      element("div", { class: "acts" }, ...own.map((act) => this.act(act))), ...hints);
  }

  act(act) {
    const node = element("button", {
      type: "button", class: "act", "data-testid": `control-${act.name}`, text: act.label,
      onclick: () => this.play(node, { act: act.name }),
    });
    return node;
  }

  bot() {
    const node = element("button", {
      type: "button", class: "act", "data-testid": "control-bot-crash", text: "The bot crashes",
      onclick: () => this.play(node, { bot: "crash" }),
    });
    return element("section", { class: "provider" },
      element("div", { class: "provider-head" }, element("h3", { text: "The bot itself" })),
      element("div", { class: "acts" }, node),
      element("p", { class: "hint-text", text: "It is killed outright and started again; what was asked meanwhile is answered once." }));
  }

  async play(node, what) {
    node.classList.add("waiting");
    try {
      await post("/play", what);
    } catch {
      this.note({ at_ms: Date.now(), sentence: "The demo did not answer. Is it still running?", mood: "bad" });
    }
    node.classList.remove("waiting");
  }

  setDown(names) {
    for (const [name, power] of this.switches) {
      const up = !names.includes(name);
      power.setAttribute("aria-checked", String(up));
      power.title = up ? "Answers. Press to take it down" : "Down. Press to bring it back";
      power.firstChild.textContent = up ? "up" : "down";
    }
  }

  note(entry) {
    this.quiet.hidden = true;
    const at = new Date(entry.at_ms).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
    const line = element("li", { class: `entry ${entry.mood}`, "data-testid": "log-entry" },
      element("time", { text: at }), element("span", { text: entry.sentence }));
    if (entry.detail) line.append(element("code", { text: entry.detail }));
    this.entries.prepend(line);
  }
}
