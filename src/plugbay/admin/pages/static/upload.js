// The upload: drop or choose a file, see it go, and see what each layer says as it says it.

import { API, Refusal, call, proof } from "./api.js";
import { after, refused, toast } from "./toast.js";
import { kindOf, manifestOf } from "./binary.js";
import { onFile } from "./drop.js";
import { layerItem, showLayer } from "./layers.js";

const page = document.getElementById("upload");
const part = (id) => document.getElementById(id);
const most = Number(page.dataset.most);
let chosen = null;
let sending = null;

onFile(part("drop"), part("file"), take, say);
part("cancel").addEventListener("click", cancel);
part("about").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  const provides = form.getAll("provides");
  send(chosen.file, manifestOf(chosen.kind, { ...Object.fromEntries(form), provides }));
});
part("enable").addEventListener("submit", enable);

/** Begin with a file: a wheel goes at once, a binary needs a manifest first. */
async function take(file) {
  if (sending) return say("Another upload goes on: cancel it first.");
  clear();
  if (file.size === 0) return say(`${file.name} is empty.`);
  if (file.size > most) return say(`${file.name} has ${amount(file.size)}; at most ${amount(most)} are taken.`);
  const kind = await kindOf(file);
  chosen = { file, kind };
  part("name").textContent = file.name;
  part("kind").textContent = kind.word;
  part("figures").textContent = amount(file.size);
  part("sending").hidden = false;
  progress(0);
  if (kind.runtime) {
    part("about").hidden = false;
    part("explain").hidden = true;
    part("dialect-field").hidden = kind.runtime !== "process";
    const named = part("about").elements.id;
    named.value ||= kind.name;
    named.focus();
  } else {
    send(file, null);
  }
}

/** Send it by XMLHttpRequest, which alone tells how much has gone, and read the answer's events. */
function send(file, manifest) {
  const request = new XMLHttpRequest();
  const began = performance.now();
  let read = 0;
  sending = request;
  part("about").querySelector("button").disabled = true;
  request.open("POST", `${API}/artifacts?filename=${encodeURIComponent(file.name)}`);
  request.setRequestHeader("accept", "text/event-stream");
  for (const [name, value] of Object.entries(proof())) request.setRequestHeader(name, value);
  request.upload.addEventListener("progress", (event) => {
    const share = event.total ? event.loaded / event.total : 0;
    const seconds = Math.max(0.001, (performance.now() - began) / 1000);
    progress(share);
    part("figures").textContent = `${amount(file.size)} · ${Math.round(share * 100)} % · ${(event.loaded / 2 ** 20 / seconds).toFixed(0)} MiB/s`;
  });
  request.addEventListener("progress", () => {
    if (good(request)) read = events(request.responseText, read);
  });
  request.addEventListener("load", () => {
    if (good(request)) events(`${request.responseText}\n\n`, read);
    else problem(parsed(request.responseText, request.status));
    end();
  });
  request.addEventListener("error", () => {
    problem({ detail: "the connection broke: the file was not stored" });
    end();
  });
  if (manifest === null) {
    request.send(file);
  } else {
    const form = new FormData();
    form.append("manifest", manifest);
    form.append("file", file, file.name);
    request.send(form);
  }
}

function good(request) {
  return request.status >= 200 && request.status < 300;
}

function parsed(text, status) {
  try {
    return JSON.parse(text);
  } catch {
    return { detail: `the gateway answered ${status}` };
  }
}

/** Take the whole events behind `from`, and return where the next one begins. */
function events(text, from) {
  for (;;) {
    const end = text.indexOf("\n\n", from);
    if (end < 0) return from;
    const lines = text.slice(from, end).split("\n");
    const field = (name) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
    if (field("data")) told(field("event"), JSON.parse(field("data")));
    from = end + 2;
  }
}

function told(event, data) {
  if (event === "layer") {
    part("proof").hidden = false;
    const steps = part("steps");
    while (steps.children.length < data.total) steps.append(layerItem());
    showLayer(steps.children[data.index], data);
  } else if (event === "validated") {
    validated(data);
  } else if (event === "problem") {
    problem(data);
  }
}

function validated(artifact) {
  part("about").hidden = true;
  part("explain").hidden = true;
  part("result").hidden = false;
  part("result").dataset.plugin = artifact.plugin;
  part("result").dataset.digest = artifact.digest;
  part("result-title").textContent = `${artifact.plugin} ${artifact.version}`;
  const facts = [
    ["Summary", artifact.manifest?.summary],
    ["Provides", artifact.manifest?.provides?.join(", ")],
    ["Needs", Object.entries(artifact.manifest?.requires ?? {}).map((pair) => pair.join(" ")).join(", ")],
    ["SHA-256", artifact.digest],
  ].filter(([, value]) => value);
  part("result-facts").replaceChildren(...facts.flatMap(([name, value]) => [text("dt", name), text("dd", value)]));
  part("enable").hidden = !page.dataset.mayEnable;
  part("result-note").hidden = Boolean(page.dataset.mayEnable);
  toast(`${artifact.plugin} ${artifact.version} is validated`);
}

/** What was refused: the layers say it where they stand; what no layer said, is said below. */
function problem(said) {
  const layered = (said.errors ?? []).some((error) => error.layer) && !part("proof").hidden;
  const lines = layered ? [] : new Refusal(0, said).lines;
  part("refusal").replaceChildren(text("b", said.detail ?? said.title), ...lines.map((line) => text("div", line)));
  part("refusal").hidden = false;
}

async function enable(event) {
  event.preventDefault();
  const { plugin, digest } = part("result").dataset;
  const routes = new FormData(event.target).getAll("route");
  const button = event.target.querySelector("button");
  button.disabled = true;
  try {
    const match = await etag(plugin);
    const headers = match ? { "if-match": match } : {};
    const body = { digest, ...(routes.length > 0 || !match ? { routes } : {}) };
    await call("PUT", `/plugins/${plugin}?wait=converged&timeout=60`, { headers, body });
    after(`${plugin} runs`);
    location.assign(`/admin/plugins/${plugin}`);
  } catch (error) {
    refused(`${plugin} was not enabled`, error);
    button.disabled = false;
  }
}

async function etag(plugin) {
  try {
    return (await call("GET", `/plugins/${plugin}`)).etag;
  } catch (error) {
    if (error.status === 404) return "";
    throw error;
  }
}

function cancel() {
  sending?.abort();
  const was = Boolean(sending);
  end();
  clear();
  if (was) toast("The upload was cancelled");
}

function end() {
  sending = null;
  part("cancel").hidden = true;
  part("about").querySelector("button").disabled = false;
}

function clear() {
  for (const id of ["sending", "proof", "refusal", "result", "about"]) part(id).hidden = true;
  part("explain").hidden = false;
  part("cancel").hidden = false;
  part("steps").replaceChildren();
}

function progress(share) {
  const percent = Math.round(share * 100);
  part("bar").setAttribute("aria-valuenow", String(percent));
  part("bar").firstElementChild.style.width = `${percent}%`;
}

function say(sentence) {
  part("refusal").replaceChildren(text("b", sentence));
  part("refusal").hidden = false;
}

function text(tag, content) {
  const node = document.createElement(tag);
  node.textContent = content;
  return node;
}

function amount(bytes) {
  return bytes < 2 ** 20 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
