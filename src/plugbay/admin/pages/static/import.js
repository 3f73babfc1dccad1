// The import of routes: drop a document, see what it would make, then make it, all or nothing.

import { call } from "./api.js";
import { look } from "./live.js";
import { refused, toast } from "./toast.js";
import { onFile } from "./drop.js";

const part = (id) => document.getElementById(id);
const MARKS = { add: "adds", replace: "replaces", remove: "removes" };
let planned = null;

if (part("import")) {
  onFile(part("drop"), part("file"), take, say);
  part("discard").addEventListener("click", clear);
  part("apply").addEventListener("click", apply);
}

async function take(file) {
  clear();
  try {
    const document = JSON.parse(await file.text());
    const { json, etag } = await call("POST", "/import", { body: document });
    planned = { etag, body: { routes: json.routes, upstreams: json.upstreams } };
    show(file.name, json);
  } catch (error) {
    if (error instanceof SyntaxError) say(`${file.name} is not JSON. A YAML document is imported by: plugbay import openapi ${file.name}`);
    else say(error.message, error.lines);
  }
}

function show(name, { steps, remarks, routes }) {
  const count = steps.length === 1 ? "1 change" : `${steps.length} changes`;
  part("preview-title").textContent = steps.length ? `${name}: ${count}` : `${name}: everything is there already`;
  if (routes.length === 0) part("preview-title").textContent = `${name}: nothing in it can be a route`;
  part("steps").replaceChildren(...steps.map((step) => stepItem(step, planned.body)));
  part("remarks").replaceChildren(...remarks.map(({ where, detail }) => text("li", `${where}: ${detail}`)));
  part("remarks-part").hidden = remarks.length === 0;
  part("apply").hidden = steps.length === 0;
  part("preview").hidden = false;
  part("apply").focus();
}

function stepItem({ op, kind, name, differences }, wanted) {
  const item = document.createElement("li");
  const spec = wanted[kind].find((one) => one.name === name);
  const where = kind === "routes" ? `${(spec.methods ?? []).join(" ")} ${spec.path} → ${spec.upstream || spec.plugin || spec.mcp}` : spec.targets.map((one) => one.address).join(", ");
  item.append(text(op === "add" ? "ins" : "del", MARKS[op]), ` the ${kind.slice(0, -1)} `, text("b", name), " ", text("code", where.trim()));
  if (differences?.length) item.append(" ", text("small", differences.map((one) => one.pointer).join(", ")));
  return item;
}

async function apply() {
  part("apply").disabled = true;
  try {
    const { json } = await call("POST", "/apply?wait=converged&timeout=60&reason=imported", { body: planned.body, headers: { "if-match": planned.etag } });
    toast("The routes are in force", { href: `/admin/operations/${json.id}`, link: "Receipt" });
    clear();
  } catch (error) {
    if (error.status === 412) say("Something was changed meanwhile: drop the document again.");
    else refused("Nothing was imported", error);
  }
  part("apply").disabled = false;
  look(true);
}

function clear() {
  planned = null;
  part("preview").hidden = true;
  part("refusal").hidden = true;
}

function say(sentence, lines = []) {
  part("refusal").replaceChildren(text("b", sentence), ...lines.filter((line) => line !== sentence).map((line) => text("div", line)));
  part("refusal").hidden = false;
}

function text(tag, words) {
  const node = document.createElement(tag);
  node.textContent = words;
  return node;
}
