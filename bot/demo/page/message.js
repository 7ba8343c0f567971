// One message → one bubble.

import { avatar, clock, element, icon } from "./dom.js";
import { formatted } from "./text.js";

const fileAddress = (id) => `/telegram/file?id=${encodeURIComponent(id)}`;

// `view`: person, bot, people (by id), group (whether the chat is one), and the verbs command, tap, copy, reply,
// edit, remove, jump, and app (message, address → what opens that Mini App).
export function bubble(message, view) {
  const author = message.from.id === view.bot.id ? "bot" : message.from.id === view.person.id ? "self" : "other";
  const sender = view.people.get(message.from.id);
  const node = element("article", {
    class: `message from-${author}`,
    "data-testid": "message",
    "data-message-id": message.message_id,
    "data-from": author,
    "data-edited": Boolean(message.edit_date),
  });
  const body = element("div", { class: "bubble" });
  if (view.group && author !== "self") {
    body.append(element("p", { class: `sender part-${sender ? sender.part : author}`, text: message.from.first_name }));
  }
  body.append(...content(message, view));
  body.append(footer(message, author, view));
  if (view.group && author !== "self") node.append(avatar(message.from.first_name, sender ? sender.part : author));
  node.append(element("div", { class: "stack" }, body, keyboard(message, view)));
  node.append(tools(message, author, view));
  return node;
}

function content(message, view) {
  const parts = [];
  const quoted = message.reply_to_message;
  if (quoted) {
    const quote = element("button", { type: "button", class: "quote", onclick: () => view.jump(quoted.message_id) });
    quote.append(element("b", { text: quoted.from.first_name }), element("span", { text: words(quoted) }));
    parts.push(quote);
  }
  if (message.photo) parts.push(photo(message));
  if (message.document) parts.push(file(message.document));
  const text = message.text ?? message.caption;
  if (text !== undefined) {
    const entities = message.entities ?? message.caption_entities;
    const lines = element("div", { class: "text", dir: "auto" });
    lines.append(formatted(text, entities, view.command));
    if (lines.querySelector("pre")) lines.classList.add("has-pre");
    parts.push(lines);
  }
  if (!parts.length) parts.push(element("div", { class: "text quiet", text: "a message this page cannot show" }));
  return parts;
}

function photo(message) {
  const largest = message.photo.at(-1);
  const picture = element("img", {
    src: fileAddress(largest.file_id), alt: message.caption || "photo", width: largest.width, height: largest.height,
  });
  return element("a", { class: "photo", href: fileAddress(largest.file_id), target: "_blank", rel: "noopener" }, picture);
}

function file(described) {
  const size = described.file_size < 1024 ? `${described.file_size} B` : `${(described.file_size / 1024).toFixed(1)} KB`;
  const name = element("span", { class: "file-name", text: described.file_name });
  const link = element("a", {
    class: "file", href: fileAddress(described.file_id), download: described.file_name, "data-testid": "document",
  });
  link.append(element("span", { class: "file-icon" }, icon("file")), element("span", {}, name, element("small", { text: size })));
  return link;
}

function footer(message, author, view) {
  const line = element("footer", { class: "meta" });
  if (message.edit_date) line.append(element("span", { text: "edited" }));
  line.append(element("time", { text: clock(message.date) }));
  if (author === "self" && view.read(message)) line.append(element("span", { class: "ticks", text: "✓", title: "the bot has it" }));
  return line;
}

function keyboard(message, view) {
  const rows = message.reply_markup?.inline_keyboard;
  if (!rows) return null;
  const board = element("div", { class: "keyboard" });
  for (const row of rows) {
    board.append(element("div", { class: "keys" }, ...row.map((key) => button(message, key, view))));
  }
  return board;
}

function button(message, key, view) {
  const style = { class: `key ${key.style || ""}`, "data-testid": "button" };
  if (key.url) {
    return element("a", { ...style, href: key.url, target: "_blank", rel: "noopener noreferrer" }, label(key), icon("out"));
  }
  if (key.web_app) {
    return element("a", { ...style, href: view.app(message, key.web_app.url), target: "_blank", rel: "noopener noreferrer" }, label(key), icon("out"));
  }
  const node = element("button", { ...style, type: "button", "data-callback": key.callback_data }, label(key));
  if (key.copy_text) {
    node.append(icon("copy"));
    node.addEventListener("click", () => view.copy(key.copy_text.text));
  } else if (key.callback_data !== undefined) {
    node.addEventListener("click", () => view.tap(message, key.callback_data, node));
  } else {
    node.disabled = true;
    node.title = "This kind of button is not played here";
  }
  return node;
}

const label = (key) => element("span", { text: key.text });

function tools(message, author, view) {
  const box = element("div", { class: "tools" });
  box.append(tool("reply", "Reply", () => view.reply(message)));
  if (author === "self" && message.text) box.append(tool("pencil", "Edit", () => view.edit(message)));
  if (author === "self") box.append(tool("bin", "Delete", () => view.remove(message)));
  return box;
}

function tool(name, title, act) {
  return element("button", { type: "button", title, "aria-label": title, "data-testid": title.toLowerCase(), onclick: act }, icon(name));
}

// The first words of a message, for quotes.
export function words(message) {
  return (message.text ?? message.caption ?? message.document?.file_name ?? "Photo").replace(/\s+/g, " ").slice(0, 90);
}
