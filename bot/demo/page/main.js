// The demo page: people of the desk on the left, one or two chats, and the strip that makes things happen.
//
// Hooks for tests (data-testid), stable:
//   person-<part>            operator, approver, second-approver, viewer, admin: opens that person in the active pane
//   pane-0, pane-1           the chats; everything below lies inside one of them
//     who, chat-private, chat-group, messages, message, button, document, toast, typing, suggestion
//     composer, send, file (behind the clip), commands (the "/" button), menu, menu-item, reply, edit, delete
//       message: data-message-id, data-from (bot | self | other), data-edited; button: data-callback
//   side-by-side             opens and closes the second pane
//   strip-toggle, strip      the strip (always in view on a wide screen)
//     control-<act>          control-gold-up, -gold-down, -volatility-up, -volatility-down, -deriv-deposit,
//                            -money-arrives, -client-asks, -node-passes, -bot-crash, -down-<provider>
//     provider-<name>, log, log-entry
//   bot-status               data-state: starting | running | down | lost

import { get, listen } from "./net.js";
import { avatar, element } from "./dom.js";
import { Pane } from "./pane.js";
import { Strip } from "./strip.js";

const BOT_WORDS = { starting: "Bot is starting", running: "Bot is running", down: "Bot is down", lost: "Demo has ended" };
const byId = (id) => document.getElementById(id);

class Desk {
  constructor(stage) {
    this.bot = stage.bot;
    this.group = stage.group;
    this.people = new Map(stage.people.map((person) => [person.id, person]));
    this.chats = new Map([...this.people.keys(), this.group.id].map((id) => [id, new Map()]));
    this.seen = new Map();
    this.unreadTo = new Map();
    this.early = new Set();
    this.panes = [];
    this.strip = new Strip(byId("strip"), stage, () => this.toggleStrip(false));
    this.setBot(stage.bot_state);
  }

  start() {
    const [first] = this.people.values();
    this.panes = [new Pane(this, 0)];
    this.active = this.panes[0];
    byId("panes").replaceChildren(this.active.node);
    this.open(this.active, first, first.id);
    byId("split").addEventListener("click", () => this.toggleSplit());
    byId("strip-toggle").addEventListener("click", () => this.toggleStrip());
  }

  // what is known

  messages(chatId) { return this.chats.get(chatId).values(); }
  message(chatId, id) { return this.chats.get(chatId)?.get(id); }
  isRead(chatId, message) { return message.message_id <= (this.seen.get(chatId) ?? 0); }
  unread(personId, chatId) { return this.unreadTo.get(`${personId}:${chatId}`) ?? 0; }

  async load() {
    const [stage, ...chats] = await Promise.all([get("/stage"), ...[...this.chats.keys()].map((id) => get(`/telegram/chat?id=${id}`))]);
    chats.forEach(({ chat, messages }) => {
      this.chats.set(chat.id, new Map(messages.map((message) => [message.message_id, message])));
      this.seen.set(chat.id, Math.max(0, ...messages.map((message) => message.message_id)));
    });
    this.strip.fill(stage);
    this.setBot(stage.bot_state);
    for (const pane of this.panes) { pane.render(); this.loadCommands(pane); }
    document.body.dataset.ready = "";
  }

  async loadCommands(pane) {
    const { chatId, person } = pane;
    const { commands } = await get(`/telegram/chat?id=${chatId}&as=${person.id}`);
    if (pane.chatId === chatId && pane.person === person) pane.commands = commands;
  }

  // what happens

  heard(event) {
    const at = this.panes.filter((pane) => pane.chatId === event.chat);
    switch (event.type) {
      case "message": return this.arrived(event, at);
      case "edit":
        this.chats.get(event.chat)?.set(event.message.message_id, event.message);
        return at.forEach((pane) => pane.replace(event.message));
      case "delete":
        event.message_ids.forEach((id) => this.chats.get(event.chat)?.delete(id));
        return at.forEach((pane) => pane.remove(event.message_ids));
      case "typing": return at.forEach((pane) => pane.showTyping());
      case "read":
        this.seen.set(event.chat, Math.max(0, ...(this.chats.get(event.chat)?.keys() ?? [])));
        return at.forEach((pane) => pane.ticked());
      case "answer":
        this.early.add(event.callback_query_id);
        return this.panes.forEach((pane) => pane.answered(event));
      case "commands": return this.panes.forEach((pane) => this.loadCommands(pane));
      case "log": return this.strip.note(event.entry);
      case "providers": return this.strip.setDown(event.down);
      case "bot": return this.setBot(event.state);
      default: return undefined;
    }
  }

  arrived({ chat, message }, at) {
    if (!this.chats.has(chat)) return;
    this.chats.get(chat).set(message.message_id, message);
    at.forEach((pane) => pane.append(message));
    const readers = chat === this.group.id ? [...this.people.keys()] : [chat];
    for (const reader of readers) {
      const open = at.some((pane) => pane.person.id === reader);
      if (open || message.from.id === reader) continue;
      const key = `${reader}:${chat}`;
      this.unreadTo.set(key, (this.unreadTo.get(key) ?? 0) + 1);
    }
    this.renderPeople();
    this.panes.forEach((pane) => pane.renderHead());
  }

  setBot(state) {
    const node = document.querySelector(".bot-state");
    node.dataset.state = state;
    node.textContent = BOT_WORDS[state] ?? state;
  }

  // what is shown

  open(pane, person, chatId) {
    this.active = pane;
    this.unreadTo.delete(`${person.id}:${chatId}`);
    pane.show(person, chatId);
    this.renderPeople();
    this.panes.forEach((each) => each.renderHead());
  }

  focus(pane) {
    if (this.active === pane) return;
    this.active = pane;
    this.renderPeople();
  }

  choose(person) {
    const stays = this.active.group ? this.group.id : person.id;
    this.open(this.active, person, stays);
    if (matchMedia("(hover: hover)").matches) this.active.box.focus();
  }

  renderPeople() {
    const shown = this.panes.map((pane) => pane.person);
    const nodes = [...this.people.values()].map((person) => {
      const count = this.unread(person.id, person.id) + this.unread(person.id, this.group.id);
      return element("button", {
        type: "button", class: `person ${shown.includes(person) ? "shown" : ""}`, "data-testid": `person-${person.part}`,
        "aria-current": String(this.active.person === person), onclick: () => this.choose(person),
      }, avatar(person.name, person.part),
      element("span", { class: "person-words" }, element("b", { text: person.name }), element("small", { text: person.title })),
      count ? element("span", { class: "badge", text: count > 99 ? "99+" : String(count) }) : null);
    });
    byId("people").replaceChildren(...nodes);
    for (const pane of this.panes) pane.node.classList.toggle("active", this.panes.length > 1 && pane === this.active);
  }

  toggleSplit() {
    if (this.panes.length === 2) {
      this.panes.pop().node.remove();
      this.active = this.panes[0];
    } else {
      const pane = new Pane(this, 1);
      this.panes.push(pane);
      byId("panes").append(pane.node);
      const next = [...this.people.values()].find((person) => person !== this.panes[0].person);
      this.open(pane, next, this.panes[0].group ? this.group.id : next.id);
    }
    byId("split").setAttribute("aria-pressed", String(this.panes.length === 2));
    document.body.classList.toggle("two", this.panes.length === 2);
    this.renderPeople();
  }

  toggleStrip(open = !document.body.classList.contains("strip-open")) {
    document.body.classList.toggle("strip-open", open);
    byId("strip-toggle").setAttribute("aria-expanded", String(open));
  }
}

const desk = new Desk(await get("/stage"));
desk.start();
listen("/telegram/stream", () => desk.load(), (event) => desk.heard(event), () => desk.setBot("lost"));
