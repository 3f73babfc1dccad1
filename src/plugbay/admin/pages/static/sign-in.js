// The form to sign in. Whoever is signed in already is led on: the cookie does not come with a
// link from another site, so only a call from this page can know.

import { API } from "./api.js";

const form = document.getElementById("sign-in");
const refusal = document.getElementById("refusal");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  refusal.hidden = true;
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const answer = await fetch(`${API}/sessions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(Object.fromEntries(new FormData(form))),
    });
    if (answer.ok) return location.assign(form.dataset.next);
    say((await answer.json()).detail);
  } catch {
    say("the gateway cannot be reached");
  }
  button.disabled = false;
  form.elements.password.select();
});

function say(text) {
  refusal.textContent = text;
  refusal.hidden = false;
}

const known = await fetch(`${API}/me`);
if (known.ok) location.replace(form.dataset.next);
