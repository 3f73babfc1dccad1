// Plain forms: `data-send` says which call one makes of its fields, `data-done` what to say
// afterwards, `data-reveal` where the answer is shown, which may be the only time, and `data-hide`
// what makes place for it.

import { call } from "./api.js";
import { look } from "./live.js";
import { after, toast } from "./toast.js";

document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-send]")) return;
  event.preventDefault();
  send(event.target);
});
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy-shown]");
  if (!button) return;
  await navigator.clipboard.writeText(button.closest("section").querySelector(`[data-shown="${button.dataset.copyShown}"]`).textContent);
  toast("Copied");
});

async function send(form) {
  const { send: said, done, failed, reveal, hide, then, keep } = form.dataset;
  const [method, path] = said.split(" ");
  const button = form.querySelector('button[type="submit"]');
  const refusal = form.querySelector("[data-refusal]");
  button.disabled = true;
  refusal.hidden = true;
  try {
    const { json } = await call(method, path, { body: bodyOf(form) });
    if (then) {
      after(done);
      return location.assign(then);
    }
    if (done) toast(done);
    if (reveal) show(document.getElementById(reveal), json);
    if (keep === undefined) form.reset();
    if (hide) document.getElementById(hide).hidden = true;
    look(true);
  } catch (error) {
    refuse(refusal, failed, error);
  }
  button.disabled = false;
}

/** The fields as JSON: lists of what is checked, words, and the rest as text. */
function bodyOf(form) {
  const body = {};
  for (const field of form.elements) {
    if (!field.name) continue;
    if (field.dataset.list !== undefined) (body[field.name] ??= []).push(...(field.checked ? [field.value] : []));
    else if (field.dataset.words !== undefined) body[field.name] = field.value.split(/[\s,]+/).filter(Boolean);
    else if (field.dataset.json !== undefined) body[field.name] = JSON.parse(field.value);
    else body[field.name] = field.value;
  }
  return body;
}

function show(place, json) {
  for (const one of place.querySelectorAll("[data-shown]")) one.textContent = [json[one.dataset.shown]].flat().join("\n");
  for (const one of place.querySelectorAll("[data-shown-link]")) one.href = json[one.dataset.shownLink];
  place.hidden = false;
}

function refuse(box, failed, error) {
  const lines = [error.message, ...(error.lines ?? [])].filter((line, index, all) => all.indexOf(line) === index);
  box.replaceChildren(...[failed, ...lines].map((line, index) => Object.assign(document.createElement(index ? "div" : "b"), { textContent: line })));
  box.hidden = false;
}
