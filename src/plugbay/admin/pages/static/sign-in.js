// The form to sign in. Whoever is signed in already is led on: the cookie does not come with a
// link from another site, so only a call from this page can know.

import { API } from "./api.js";

const form = document.getElementById("sign-in");
const refusal = document.getElementById("refusal");
let challenge = "";

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  refusal.hidden = true;
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const answer = await (challenge ? post("/second-factor", { challenge, code: value("code") }) : post("", { username: value("username"), password: form.elements.password.value }));
    const said = await answer.json();
    if (answer.status === 202) ask(said.challenge);
    else if (answer.ok) return location.assign(form.dataset.next);
    else say(said.detail);
  } catch {
    say("the gateway cannot be reached");
  }
  button.disabled = false;
  form.elements[challenge ? "code" : "password"].select();
});

function post(path, body) {
  const headers = { "content-type": "application/json" };
  return fetch(`${API}/sessions${path}`, { method: "POST", headers, body: JSON.stringify(body) });
}

function value(name) {
  return form.elements[name].value.trim();
}

/** The password was right, and a code is wanted. */
function ask(secret) {
  challenge = secret;
  for (const field of form.querySelectorAll("[data-step]")) field.hidden = field.dataset.step !== "code";
}

function say(text) {
  refusal.textContent = text;
  refusal.hidden = false;
}

const known = await fetch(`${API}/me`);
if (known.ok) location.replace(form.dataset.next);
