// Keeps the parts marked `data-live` as the server would draw them now: told by its events, and
// every few seconds for what has no events, such as traffic. Nothing runs while nobody looks.

import { API, leave } from "./api.js";
import { morph } from "./morph.js";

const EVERY = 5000;
const SETTLE = 120;
const AGAIN = 1200;

let source = null;
let timers = [];
let asking = false;
let wanted = false;
let hurried = false;

/** Draw the live parts anew; in a `hurry` rows may move under the pointer. */
export async function refresh(hurry = false) {
  hurried ||= hurry;
  if (asking) {
    wanted = true;
    return;
  }
  asking = true;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (answer.redirected && new URL(answer.url).pathname === "/admin/sign-in") return leave();
    if (answer.ok) draw(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    say("not connected", "bad");
  } finally {
    asking = false;
    if (wanted) {
      wanted = false;
      soon(SETTLE);
    }
  }
}

function draw(fresh) {
  for (const part of document.querySelectorAll("[data-live]")) {
    const copy = fresh.getElementById(part.id);
    if (copy) morph(part, copy, hurried);
  }
  hurried = false;
  document.dispatchEvent(new CustomEvent("plugbay:drawn"));
}

function soon(milliseconds) {
  timers.push(setTimeout(() => refresh(), milliseconds));
}

/** Something has happened: look now, and once more when its consequences have settled. */
export function look(hurry = false) {
  hurried ||= hurry;
  timers.forEach(clearTimeout);
  timers = [];
  soon(SETTLE);
  soon(AGAIN);
}

function say(text, kind) {
  const link = document.getElementById("link");
  if (link && link.textContent !== text) {
    link.textContent = text;
    link.className = `link ${kind}`;
  }
}

function listen() {
  source = new EventSource(`${API}/events`);
  source.addEventListener("open", () => say("live", "ok"));
  source.addEventListener("error", () => say("reconnecting", "warn"));
  for (const topic of TOPICS) source.addEventListener(topic, () => look());
}

const TOPICS = [
  "reset",
  "operation.changed",
  "worker.connected",
  "worker.disconnected",
  "worker.ended",
  "worker.not-started",
  "mcp.host.ended",
  ...["started", "not_started", "exited", "restarted", "breaker_opened", "breaker_closed"].map(
    (kind) => `mcp.server.${kind}`,
  ),
  ...["watch-failed", "health-failed", "restarted", "quarantined", "blocked", "leak"].map(
    (kind) => `plugin.${kind}`,
  ),
];

function begin() {
  if (document.hidden) {
    source?.close();
    source = null;
  } else if (!source) {
    listen();
    refresh();
  }
}

/** Start, and stop whenever the page is hidden: a browser has few connections to one server. */
export function start() {
  document.addEventListener("visibilitychange", begin);
  document.addEventListener("pointerout", catchUp);
  window.addEventListener("pagehide", () => source?.close());
  if (!document.hidden) listen();
  setInterval(() => document.hidden || refresh(), EVERY);
}

function catchUp(event) {
  const late = event.target.closest?.("[data-late]");
  if (late && !late.contains(event.relatedTarget)) look();
}
