// Buttons that make one call: `data-call` says which, `data-ask` what to ask before, and
// `data-done` what to say afterwards. `data-why` names a field with a reason.

import { call } from "./api.js";
import { confirm } from "./confirm.js";
import { look } from "./live.js";
import { after, refused, toast } from "./toast.js";

/** Listen to all such buttons, also those that are drawn later. */
export function start() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-call]");
    if (button) act(button);
    const copied = event.target.closest("button[data-copy]");
    if (copied) copy(copied);
  });
}

async function act(button) {
  const data = button.dataset;
  const dependents = (data.dependents ?? "").split(" ").filter(Boolean);
  const danger = button.classList.contains("danger");
  if (data.ask && !(await confirm({ title: data.ask, text: data.text, dependents, yes: data.yes, danger }))) return;
  const [method, path] = data.call.split(" ");
  const force = dependents.length > 0 ? `${path.includes("?") ? "&" : "?"}force=true` : "";
  button.disabled = true;
  button.setAttribute("aria-busy", "true");
  try {
    const headers = data.match ? { "if-match": data.match } : {};
    const body = data.body ? JSON.parse(data.body) : undefined;
    const { json } = await call(method, path + force + why(data.why), { headers, body });
    if (data.then) {
      after(data.done);
      location.assign(data.then);
      return;
    }
    const receipt = json.receipt !== undefined && json.id;
    toast(data.done, receipt ? { href: `/admin/operations/${json.id}`, link: "Receipt" } : {});
  } catch (error) {
    refused(data.failed ?? "It was refused", error);
  }
  button.disabled = false;
  button.setAttribute("aria-busy", "false");
  look(true);
}

/** The reason that stands in the field `id`, as a parameter. */
function why(id) {
  const reason = id ? document.getElementById(id).value.trim() : "";
  return reason ? `&reason=${encodeURIComponent(reason)}` : "";
}

async function copy(button) {
  await navigator.clipboard.writeText(button.dataset.copy);
  toast("Copied");
}
