// The entry page's conveniences: inside Telegram it needs no code, and a mistake does not empty the form. Without this
// script the form works all the same.

const byId = (id) => document.getElementById(id);
const form = byId("form");
const said = byId("said");
const codeField = byId("code-field");
const launch = new URLSearchParams(location.hash.slice(1));

// What Telegram's clients hear from a Mini App; each kind has its own ear, and a plain browser has none.
function tell(event) {
  if (window.TelegramWebviewProxy) window.TelegramWebviewProxy.postEvent(event, "{}");
  else if (window.external && "notify" in window.external) window.external.notify(JSON.stringify({ eventType: event, eventData: {} }));
  else if (window.parent !== window) window.parent.postMessage(JSON.stringify({ eventType: event, eventData: {} }), "https://web.telegram.org");
}

function askForCode(asked) {
  codeField.hidden = !asked;
  byId("code").required = asked;
  if (asked) byId("init-data").value = "";
}

function say(text, kind) {
  said.textContent = text;
  said.className = `said ${kind}`;
  said.hidden = !text;
  if (text) said.scrollIntoView({ block: "nearest" });
}

function mark(fields) {
  for (const input of form.querySelectorAll(".field input")) {
    const text = fields[input.name] ?? "";
    const trouble = byId(`${input.id}-trouble`);
    trouble.textContent = text;
    trouble.hidden = !text;
    input.setAttribute("aria-invalid", String(Boolean(text)));
  }
  form.querySelector("[aria-invalid=true]")?.focus();
}

function finish(kind, text) {
  form.reset();
  form.remove();
  document.querySelector("main > .small")?.remove();
  say(text, kind);
  if (!launch.has("tgWebAppData")) return;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "main";
  close.textContent = "Close";
  close.addEventListener("click", () => tell("web_app_close"));
  said.after(close);
}

async function send() {
  const body = new URLSearchParams(new FormData(form));
  const answer = await fetch(location.pathname, { method: "POST", body, headers: { accept: "application/json" }, cache: "no-store" });
  if ((answer.headers.get("content-type") ?? "").startsWith("application/json")) return answer.json();
  return { state: "again", said: `That did not work (${answer.status}). Try again, and tell an admin if it stays so.`, fields: {} };
}

form.addEventListener("submit", async (event) => {
  if (event.submitter?.name === "way") return; // leads to another page
  event.preventDefault();
  const button = byId("submit");
  button.disabled = true;
  mark({});
  say("Trying the login …", "wait");
  try {
    const result = await send();
    if (result.state === "done") return finish("good", result.said);
    if (result.state === "over") return finish("bad", result.said);
    say(result.said, "bad");
    mark(result.fields);
    if (result.ask_code) askForCode(true);
  } catch {
    say("That could not be sent. Check the connection and try again.", "bad");
  } finally {
    button.disabled = false;
  }
});

if (launch.has("tgWebAppData")) {
  byId("init-data").value = launch.get("tgWebAppData");
  askForCode(false);
  history.replaceState(null, "", location.pathname); // what proves whose page this is does not stay in the address
  tell("web_app_ready");
}
document.documentElement.dataset.ready = "";
