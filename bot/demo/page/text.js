// A message's text and entities → nodes. Offsets count UTF-16 units, as JavaScript's strings do.

import { element } from "./dom.js";

const SAFE = new Set(["http:", "https:", "mailto:", "tel:", "tg:"]);
const BLOCKS = new Set(["PRE", "BLOCKQUOTE"]);

// `command` is called with the text of a tapped /command.
export function formatted(text, entities, command) {
  const ordered = [...(entities || [])].sort((a, b) => a.offset - b.offset || b.length - a.length);
  const parts = document.createDocumentFragment();
  fill(parts, text, 0, text.length, ordered, command);
  return parts;
}

function fill(parent, text, start, end, entities, command) {
  let at = start;
  while (entities.length) {
    const entity = entities[0];
    const stop = Math.min(entity.offset + entity.length, end);
    const inner = entities.filter((each) => each !== entity && each.offset < stop);
    entities = entities.filter((each) => each !== entity && each.offset >= stop);
    if (entity.offset > at) plain(parent, text.slice(at, entity.offset));
    const node = shell(entity, text.slice(entity.offset, stop), command);
    if (!node.textContent) fill(node, text, entity.offset, stop, inner, command);
    parent.append(node);
    at = stop;
  }
  if (at < end) plain(parent, text.slice(at, end));
}

function plain(parent, text) {
  const last = parent.lastElementChild;
  const afterBlock = last && last === parent.lastChild && BLOCKS.has(last.tagName);
  parent.append(document.createTextNode(afterBlock && text.startsWith("\n") ? text.slice(1) : text));
}

function shell(entity, text, command) {
  switch (entity.type) {
    case "bold": return element("strong");
    case "italic": return element("em");
    case "underline": return element("u");
    case "strikethrough": return element("s");
    case "code": return element("code");
    case "pre": return element("pre", { tabindex: 0, "aria-label": entity.language || "table" });
    case "blockquote": return element("blockquote");
    case "expandable_blockquote": return expandable();
    case "spoiler": return spoiler();
    case "text_link": return link(entity.url);
    case "url": return link(text);
    case "email": return link(`mailto:${text}`);
    case "bot_command": return element("button", { type: "button", class: "command", onclick: () => command(text) });
    case "date_time": return moment(entity);
    default: return element("span");
  }
}

function link(address) {
  let url = null;
  try { url = new URL(address); } catch { return element("span"); }
  if (!SAFE.has(url.protocol)) return element("span");
  return element("a", { href: url.href, target: "_blank", rel: "noopener noreferrer", title: url.href });
}

function spoiler() {
  const node = element("span", { class: "spoiler", role: "button", tabindex: 0, title: "Show" });
  const show = () => node.classList.add("shown");
  node.addEventListener("click", show);
  node.addEventListener("keydown", (event) => event.key === "Enter" && show());
  return node;
}

function expandable() {
  const node = element("blockquote", { class: "expandable", tabindex: 0, title: "Show all" });
  node.addEventListener("click", () => node.classList.toggle("open"));
  return node;
}

// A date in the reader's own zone; without a format the words of the message stay.
// Letters: r relative, w weekday, d and D a short and a long date, t and T a short and a long time.
function moment(entity) {
  const date = new Date(entity.unix_time * 1000);
  const node = element("time", { datetime: date.toISOString(), title: date.toLocaleString() });
  const format = entity.date_time_format || "";
  if (format === "r") node.textContent = relative(date);
  else if (format) node.textContent = date.toLocaleString([], styles(format));
  return node;
}

function styles(format) {
  const options = {};
  if (format.includes("w")) options.weekday = "long";
  if (/[dD]/.test(format)) {
    Object.assign(options, { day: "numeric", month: format.includes("D") ? "long" : "short", year: "numeric" });
  }
  if (/[tT]/.test(format)) Object.assign(options, { hour: "2-digit", minute: "2-digit" });
  if (format.includes("T")) options.second = "2-digit";
  return options;
}

function relative(date) {
  const seconds = (date - Date.now()) / 1000;
  const words = new Intl.RelativeTimeFormat([], { numeric: "auto" });
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (Math.abs(seconds) >= size) return words.format(Math.round(seconds / size), unit);
  }
  return words.format(Math.round(seconds), "second");
}
