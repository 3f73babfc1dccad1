// The form of a configuration, a route, an upstream or an MCP server: checked as one types, shown
// as a difference, then applied.

import { plain, READERS } from "./readers.js";
import { subjectOf } from "./subject.js";
import { after, refused, toast } from "./toast.js";

const form = document.getElementById("config");
const subject = subjectOf(form);
const problems = document.getElementById("config-problems");
const changes = document.getElementById("changes");
const apply = document.getElementById("apply");
const json = document.getElementById("json");
const controls = [...form.querySelectorAll("[data-pointer]")];
const PAUSE = 200;
let timer = 0;
let asked = 0;

/** The configuration that the form says. Throws `Unreadable`. */
function collect() {
  if (!json.parentElement.hidden) return plain(json.value, "");
  const config = {};
  for (const group of form.querySelectorAll("[data-group][data-present]")) place(config, group.dataset.group, {});
  for (const control of controls) {
    const { pointer, kind, item } = control.dataset;
    const untouched = control.value === control.defaultValue;
    const kept = "present" in control.dataset && untouched && (kind === "text" || kind === "lines");
    if (control.value === "" && !kept) continue;
    place(config, pointer, READERS[kind](control.value, pointer, item));
  }
  return config;
}

function place(config, pointer, value) {
  const keys = pointer.slice(1).split("/").map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
  const last = keys.pop();
  let here = config;
  for (const key of keys) here = here[key] ??= {};
  here[last] = value;
}

async function check() {
  const number = ++asked;
  let config;
  try {
    config = collect();
  } catch (error) {
    return mark([{ pointer: error.pointer, detail: error.message }]);
  }
  try {
    const differences = await subject.check(config);
    if (number !== asked) return;
    mark([]);
    show(differences);
  } catch (error) {
    if (number !== asked) return;
    mark(error.errors?.length ? error.errors : [{ pointer: "", detail: error.message }]);
  }
}

/** Say each problem at its field; what belongs to none, below. */
function mark(errors) {
  const rest = [];
  for (const control of controls) {
    control.removeAttribute("aria-invalid");
    notice(control).textContent = "";
  }
  for (const error of errors) {
    const control = json.parentElement.hidden ? owner(error.pointer) : undefined;
    const words = `${error.detail}${error.expected ? `: expected ${error.expected}` : ""}.${error.remedy ? ` ${error.remedy}` : ""}`;
    if (control) {
      control.setAttribute("aria-invalid", "true");
      notice(control).textContent = words;
    } else {
      rest.push(`${error.pointer} ${words}`.trim());
    }
  }
  problems.hidden = rest.length === 0;
  problems.textContent = rest.join(" ");
  if (apply && errors.length > 0) {
    apply.disabled = true;
    list([note("something is not valid yet")]);
  }
}

function notice(control) {
  return document.getElementById(`${control.id}-error`);
}

function owner(pointer) {
  const inside = controls.filter(({ dataset }) => pointer === dataset.pointer || pointer.startsWith(`${dataset.pointer}/`));
  return inside.sort((one, other) => other.dataset.pointer.length - one.dataset.pointer.length)[0];
}

function show(differences) {
  if (!apply) return;
  apply.disabled = differences.length === 0;
  list(differences.length ? differences.map(difference) : [note("nothing yet")]);
}

function list(items) {
  changes?.replaceChildren(...items);
}

function note(words) {
  const item = document.createElement("li");
  item.append(element("small", words));
  return item;
}

function difference({ pointer, op, old, new: fresh }) {
  const item = document.createElement("li");
  item.append(element("code", pointer || "/"), " ");
  if (op !== "add") item.append(element("del", JSON.stringify(old)), " ");
  if (op === "replace") item.append("→ ");
  if (op !== "remove") item.append(element("ins", JSON.stringify(fresh)));
  if (op === "add") item.append(" ", element("small", "was not set"));
  if (op === "remove") item.append(" ", element("small", "is not set any more"));
  return item;
}

function element(tag, words) {
  const node = document.createElement(tag);
  node.textContent = words;
  return node;
}

async function submit(event) {
  event.preventDefault();
  apply.disabled = true;
  try {
    const comment = document.getElementById("comment").value;
    const said = await subject.save(collect(), comment);
    after(said);
    if (subject.then) location.assign(subject.then);
    else location.reload();
  } catch (error) {
    apply.disabled = false;
    if (error.status === 412) toast(`${subject.name} was changed meanwhile`, { kind: "bad", href: location.pathname, link: "Load it anew" });
    else refused(subject.failed, error);
  }
}

function later() {
  clearTimeout(timer);
  timer = setTimeout(check, PAUSE);
}

function turn(event) {
  const field = json.parentElement;
  const button = event.currentTarget;
  if (field.hidden) {
    try {
      json.value = JSON.stringify(collect(), null, 2);
    } catch (error) {
      return mark([{ pointer: error.pointer, detail: error.message }]);
    }
  }
  field.hidden = !field.hidden;
  document.getElementById("fields").hidden = !field.hidden;
  button.setAttribute("aria-pressed", String(!field.hidden));
  button.textContent = field.hidden ? "As JSON" : "As fields";
  check();
}

form.addEventListener("input", later);
form.addEventListener("reset", () => setTimeout(check));
form.addEventListener("submit", submit);
document.getElementById("as-json")?.addEventListener("click", turn);
