// Short messages in a corner. What went wrong stays until it is dismissed.

const SECONDS = 6;
const LATER = "plugbay-toast";

/** Show `text`; `kind` is "ok" or "bad"; `lines` are details below it. */
export function toast(text, { kind = "ok", lines = [], href = "", link = "" } = {}) {
  const box = document.createElement("div");
  box.className = `toast ${kind}`;
  box.setAttribute("role", kind === "bad" ? "alert" : "status");
  const said = document.createElement("div");
  said.append(bold(text), ...lines.map(line));
  if (href) said.append(anchor(href, link));
  box.append(said, dismissal(box));
  document.getElementById("toasts").append(box);
  if (kind !== "bad") setTimeout(() => box.remove(), SECONDS * 1000);
  return box;
}

/** Show `text` on the page that comes next. */
export function after(text) {
  sessionStorage.setItem(LATER, text);
}

/** Show what the page before has left. */
export function start() {
  const text = sessionStorage.getItem(LATER);
  sessionStorage.removeItem(LATER);
  if (text) toast(text);
}

/** Show what the API refused. */
export function refused(what, error) {
  toast(what, { kind: "bad", lines: [error.message, ...(error.lines ?? [])].filter(unique) });
}

function unique(text, index, all) {
  return all.indexOf(text) === index;
}

function bold(text) {
  const node = document.createElement("b");
  node.textContent = text;
  return node;
}

function line(text) {
  const node = document.createElement("div");
  node.textContent = text;
  return node;
}

function anchor(href, text) {
  const node = document.createElement("a");
  node.href = href;
  node.textContent = text;
  return node;
}

function dismissal(box) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "close";
  button.setAttribute("aria-label", "Dismiss");
  button.textContent = "×";
  button.addEventListener("click", () => box.remove());
  return button;
}
