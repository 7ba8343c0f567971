// One chat as one person sees it: messages, composer, command menu, typing, toasts.

import { post, upload } from "./net.js";
import { avatar, element, icon } from "./dom.js";
import { bubble, words } from "./message.js";

const NEAR_END = 120;
const TYPING_MS = 5000;
const TAP_MS = 15000;

export class Pane {
  // `desk` is the page's state (main.js); `number` is 0 or 1.
  constructor(desk, number) {
    this.desk = desk;
    this.number = number;
    this.draft = { reply: null, edit: null };
    this.taps = new Map();
    this.build();
  }

  build() {
    this.node = element("section", { class: "pane", "data-testid": `pane-${this.number}` });
    this.head = element("header", { class: "pane-head" });
    this.list = element("div", { class: "messages", "data-testid": "messages", role: "log", "aria-live": "polite", tabindex: 0 });
    this.toasts = element("div", { class: "toasts", "aria-live": "assertive" });
    this.jumper = element("button", { type: "button", class: "to-end", title: "To the newest", onclick: () => this.toEnd(true) }, icon("down"));
    this.typing = element("div", { class: "typing", "data-testid": "typing", hidden: true });
    this.typing.append(element("i"), element("i"), element("i"), element("span", { text: `${this.desk.bot.name} is typing` }));
    this.hints = element("div", { class: "hints" });
    this.menu = element("div", { class: "menu", role: "listbox", "data-testid": "menu", hidden: true });
    this.context = element("div", { class: "context", hidden: true });
    this.node.append(this.head, this.toasts, this.list, this.jumper, this.typing, this.hints, this.menu, this.context, this.composer());
    this.list.addEventListener("scroll", () => this.scrolled());
    this.followsEnd = true;
    new ResizeObserver(() => this.followsEnd && this.toEnd(false)).observe(this.list);
    this.node.addEventListener("pointerdown", () => this.desk.focus(this));
    this.node.addEventListener("focusin", () => this.desk.focus(this));
  }

  composer() {
    this.box = element("textarea", {
      rows: 1, "data-testid": "composer", placeholder: "Message or /command", "aria-label": "Message",
      autocomplete: "off", spellcheck: "false", enterkeyhint: "send",
    });
    this.box.addEventListener("input", () => this.typed());
    this.box.addEventListener("keydown", (event) => this.pressed(event));
    this.slash = element("button", { type: "button", class: "slash", title: "Commands", "data-testid": "commands", onclick: () => this.toggleMenu() });
    this.slash.textContent = "/";
    this.send = element("button", { type: "submit", class: "send", title: "Send", "aria-label": "Send", "data-testid": "send" }, icon("send"));
    this.picker = element("input", { type: "file", hidden: true, "data-testid": "file", onchange: () => this.attach() });
    const clip = element("button", { type: "button", class: "clip", title: "Send a file", "aria-label": "Send a file", onclick: () => this.picker.click() }, icon("clip"));
    const form = element("form", { class: "composer" }, this.slash, this.box, this.picker, clip, this.send);
    form.addEventListener("submit", (event) => { event.preventDefault(); this.submit(); });
    return form;
  }

  // who and where

  show(person, chatId) {
    this.person = person;
    this.chatId = chatId;
    this.cancel();
    this.box.value = "";
    this.typed();
    this.render();
    this.desk.loadCommands(this);
  }

  get group() { return this.chatId === this.desk.group.id; }

  view() {
    return {
      person: this.person, bot: this.desk.bot, people: this.desk.people, group: this.group,
      command: (text) => this.say(text),
      tap: (message, data, node) => this.tap(message, data, node),
      copy: (text) => this.copy(text),
      app: (message, url) => `/telegram/open?${new URLSearchParams({ from: this.person.id, chat: this.chatId, message_id: message.message_id, url })}`,
      reply: (message) => this.answer(message),
      edit: (message) => this.correct(message),
      remove: (message) => this.attempt(() => post("/telegram/delete", { from: this.person.id, chat: this.chatId, message_id: message.message_id })),
      jump: (id) => this.jump(id),
      read: (message) => this.desk.isRead(this.chatId, message),
    };
  }

  render() {
    this.renderHead();
    this.renderHints();
    this.list.replaceChildren();
    this.lastDay = "";
    this.lastSender = null;
    for (const message of this.desk.messages(this.chatId)) this.append(message);
    if (!this.list.childElementCount) this.list.append(this.greeting());
    this.hideTyping();
    this.toEnd(false);
  }

  renderHead() {
    const tab = (id, name, chatId) => element("button", {
      type: "button", role: "tab", class: "tab", "data-testid": id, "aria-selected": String(this.chatId === chatId),
      onclick: () => this.desk.open(this, this.person, chatId),
    }, element("span", { text: name }), this.badge(chatId));
    const who = element("div", { class: "who" },
      element("strong", { "data-testid": "who", text: this.person.name }), element("small", { text: this.person.title }));
    this.head.replaceChildren(avatar(this.person.name, this.person.part), who,
      element("div", { class: "tabs", role: "tablist" },
        tab("chat-private", this.desk.bot.name, this.person.id), tab("chat-group", this.desk.group.title, this.desk.group.id)));
    if (this.number === 1) {
      this.head.append(element("button", { type: "button", class: "icon-only", title: "Close", onclick: () => this.desk.toggleSplit() }, icon("close")));
    }
  }

  badge(chatId) {
    const count = chatId === this.chatId ? 0 : this.desk.unread(this.person.id, chatId);
    return count ? element("span", { class: "badge", text: count > 99 ? "99+" : String(count) }) : null;
  }

  renderHints() {
    this.hints.replaceChildren(element("span", { class: "hints-word", text: "Try" }));
    for (const text of this.person.suggestions) {
      this.hints.append(element("button", {
        type: "button", class: "hint", "data-testid": "suggestion", text, onclick: () => this.say(text),
      }));
    }
  }

  greeting() {
    const [first, second] = this.person.suggestions;
    return element("div", { class: "greeting" },
      element("strong", { text: this.group ? this.desk.group.title : `Hello, ${this.person.name}.` }),
      element("p", { text: this.group
        ? "Everyone at the desk reads this chat. Commands work here as well."
        : `This is your private chat with ${this.desk.bot.name}. Try ${first}, or ${second}; ${this.desk.strip.isAside() ? "the strip beside makes" : "the sliders above make"} things happen at the providers.` }));
  }

  // messages

  append(message) {
    const stay = this.atEnd();
    this.list.querySelector(".greeting")?.remove();
    const day = new Date(message.date * 1000).toDateString();
    if (day !== this.lastDay) {
      this.list.append(element("div", { class: "day", text: dayName(message.date) }));
      this.lastDay = day;
      this.lastSender = null;
    }
    const node = bubble(message, this.view());
    if (this.lastSender === message.from.id) node.classList.add("follows");
    this.lastSender = message.from.id;
    this.list.append(node);
    if (message.from.id === this.desk.bot.id) this.hideTyping();
    if (stay || message.from.id === this.person.id) this.toEnd(false);
    else this.jumper.classList.add("news");
    return node;
  }

  replace(message) {
    const old = this.find(message.message_id);
    if (!old) return;
    const stay = this.atEnd();
    const node = bubble(message, this.view());
    if (old.classList.contains("follows")) node.classList.add("follows");
    node.classList.add("changed");
    node.addEventListener("animationend", () => node.classList.remove("changed"));
    old.replaceWith(node);
    if (stay) this.toEnd(false);
  }

  remove(ids) {
    for (const id of ids) this.find(id)?.remove();
    for (const day of this.list.querySelectorAll(".day")) {
      if (!day.nextElementSibling || day.nextElementSibling.classList.contains("day")) {
        day.remove();
        this.lastDay = "";
      }
    }
    if (!this.list.childElementCount) this.list.append(this.greeting());
  }

  find(id) { return this.list.querySelector(`[data-message-id="${Number(id)}"]`); }

  ticked() {
    for (const node of this.list.querySelectorAll(".from-self")) {
      if (node.querySelector(".ticks")) continue;
      const message = this.desk.message(this.chatId, Number(node.dataset.messageId));
      if (message && this.desk.isRead(this.chatId, message)) this.quietly(node, message);
    }
  }

  quietly(node, message) {
    const fresh = bubble(message, this.view());
    if (node.classList.contains("follows")) fresh.classList.add("follows");
    node.replaceWith(fresh);
  }

  jump(id) {
    const node = this.find(id);
    if (!node) return;
    node.scrollIntoView({ block: "center", behavior: "smooth" });
    node.classList.add("changed");
    node.addEventListener("animationend", () => node.classList.remove("changed"), { once: true });
  }

  atEnd() { return this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < NEAR_END; }

  toEnd(smooth) {
    this.followsEnd = true;
    this.list.scrollTo({ top: this.list.scrollHeight, behavior: smooth ? "smooth" : "instant" });
    this.jumper.classList.remove("news");
  }

  scrolled() {
    this.followsEnd = this.atEnd();
    this.jumper.classList.toggle("shown", !this.followsEnd);
    if (this.followsEnd) this.jumper.classList.remove("news");
  }

  showTyping() {
    const stay = this.atEnd();
    this.typing.hidden = false;
    clearTimeout(this.typingEnds);
    this.typingEnds = setTimeout(() => this.hideTyping(), TYPING_MS);
    if (stay) this.toEnd(false);
  }

  hideTyping() { this.typing.hidden = true; }

  // what the person does

  async say(text) {
    await this.attempt(() => post("/telegram/send", { from: this.person.id, chat: this.chatId, text }));
  }

  async submit() {
    const text = this.box.value.trim();
    if (!text) return;
    const { reply, edit } = this.draft;
    const place = { from: this.person.id, chat: this.chatId, text };
    const sent = edit
      ? await this.attempt(() => post("/telegram/edit", { ...place, message_id: edit.message_id }))
      : await this.attempt(() => post("/telegram/send", reply ? { ...place, reply_to: reply.message_id } : place));
    if (!sent) return;
    this.box.value = "";
    this.cancel();
    this.typed();
  }

  async attach() {
    const [file] = this.picker.files;
    if (!file) return;
    const place = new URLSearchParams({ from: this.person.id, chat: this.chatId, name: file.name, caption: this.box.value.trim() });
    const sent = await this.attempt(() => upload(`/telegram/upload?${place}`, file));
    this.picker.value = "";
    if (!sent) return;
    this.box.value = "";
    this.cancel();
    this.typed();
  }

  async tap(message, data, node) {
    node.classList.add("waiting");
    const place = { from: this.person.id, chat: this.chatId, message_id: message.message_id, data };
    const tapped = await this.attempt(() => post("/telegram/tap", place));
    if (!tapped) return node.classList.remove("waiting");
    const done = () => { node.classList.remove("waiting"); this.taps.delete(tapped.callback_query_id); };
    if (this.desk.early.has(tapped.callback_query_id)) return done();
    this.taps.set(tapped.callback_query_id, done);
    setTimeout(done, TAP_MS);
  }

  answered(answer) {
    this.taps.get(answer.callback_query_id)?.();
    if (answer.user === this.person.id && answer.text) this.toast(answer.text, answer.show_alert);
  }

  async copy(text) {
    await this.attempt(() => navigator.clipboard.writeText(text));
    this.toast("Copied");
  }

  async attempt(act) {
    try {
      return (await act()) ?? true;
    } catch {
      this.toast("The demo did not take that. Is it still running?", true);
      return null;
    }
  }

  toast(text, alert = false) {
    const node = element("div", { class: alert ? "toast alert" : "toast", "data-testid": "toast", role: "status" });
    node.append(element("span", { text }));
    const close = () => node.remove();
    if (alert) node.append(element("button", { type: "button", text: "OK", onclick: close }));
    else setTimeout(close, 3500);
    this.toasts.replaceChildren(node);
  }

  answer(message) {
    this.draft = { reply: message, edit: null };
    this.showContext(`Reply to ${message.from.first_name}`, words(message));
  }

  correct(message) {
    this.draft = { reply: null, edit: message };
    this.box.value = message.text;
    this.showContext("Edit your message", words(message));
    this.typed();
  }

  showContext(title, text) {
    this.context.replaceChildren(
      element("span", {}, element("b", { text: title }), element("small", { text })),
      element("button", { type: "button", class: "icon-only", title: "Cancel", onclick: () => this.cancel() }, icon("close")));
    this.context.hidden = false;
    this.box.focus();
  }

  cancel() {
    if (this.draft.edit) this.box.value = "";
    this.draft = { reply: null, edit: null };
    this.context.hidden = true;
  }

  // the command menu

  typed() {
    this.moved = false; // Enter sends what was typed, unless a suggestion was picked with the arrows
    this.box.style.height = "auto";
    this.box.style.height = `${Math.min(this.box.scrollHeight, 140)}px`;
    this.send.classList.toggle("ready", Boolean(this.box.value.trim()));
    const start = /^\/(\w*)$/.exec(this.box.value);
    if (start) this.offer(start[1]);
    else this.menu.hidden = true;
  }

  toggleMenu() {
    if (!this.menu.hidden) { this.menu.hidden = true; return; }
    if (!this.box.value) this.box.value = "/";
    this.box.focus();
    this.offer("");
  }

  offer(prefix) {
    const found = (this.commands || []).filter((each) => each.command.startsWith(prefix.toLowerCase()));
    this.menu.replaceChildren(...found.map((each) => element("button", {
      type: "button", role: "option", "data-testid": "menu-item", onclick: () => this.choose(each),
    }, element("b", { text: `/${each.command}` }), element("span", { text: each.description }))));
    this.menu.hidden = !found.length;
    this.mark(0);
  }

  mark(index) {
    const items = [...this.menu.children];
    this.marked = (index + items.length) % (items.length || 1);
    items.forEach((item, at) => item.setAttribute("aria-selected", String(at === this.marked)));
    items[this.marked]?.scrollIntoView({ block: "nearest" });
  }

  choose(command, complete = false) {
    this.menu.hidden = true;
    this.box.value = complete ? `/${command.command} ` : "";
    this.typed();
    this.box.focus();
    if (!complete) this.say(`/${command.command}`);
  }

  pressed(event) {
    if (!this.menu.hidden && ["ArrowDown", "ArrowUp", "Tab", "Escape"].includes(event.key)) {
      event.preventDefault();
      this.moved = event.key.startsWith("Arrow");
      if (event.key === "ArrowDown") this.mark(this.marked + 1);
      else if (event.key === "ArrowUp") this.mark(this.marked - 1);
      else if (event.key === "Escape") this.menu.hidden = true;
      else this.complete();
      return;
    }
    if (event.key === "Escape") this.cancel();
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      if (!this.menu.hidden && this.moved) this.menu.children[this.marked]?.click();
      else this.submit();
    }
  }

  complete() {
    const name = this.menu.children[this.marked]?.querySelector("b").textContent.slice(1);
    const command = (this.commands || []).find((each) => each.command === name);
    if (command) this.choose(command, true);
  }
}

function dayName(seconds) {
  const day = new Date(seconds * 1000);
  const ago = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(day).setHours(0, 0, 0, 0)) / 86400000);
  if (ago === 0) return "Today";
  if (ago === 1) return "Yesterday";
  return day.toLocaleDateString([], { day: "numeric", month: "long", year: "numeric" });
}
