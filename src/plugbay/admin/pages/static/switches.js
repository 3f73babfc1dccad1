// The switches of plugins: they move at once, and move back if the gateway refuses.

import { call } from "./api.js";
import { confirm } from "./confirm.js";
import { look } from "./live.js";
import { refused, toast } from "./toast.js";

/** Listen to all switches, also those that are drawn later. */
export function start() {
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-plugin]")) turn(event.target);
  });
}

async function turn(toggle) {
  const { plugin } = toggle.dataset;
  const on = toggle.checked;
  const dependents = toggle.dataset.dependents.split(" ").filter(Boolean);
  if (!on && dependents.length > 0 && !(await agreed(plugin, dependents))) {
    toggle.checked = true;
    return;
  }
  busy(toggle, true);
  try {
    const force = !on && dependents.length > 0 ? "&force=true" : "";
    const path = `/plugins/${plugin}/${on ? "enable" : "disable"}?wait=converged&timeout=60${force}`;
    const { json } = await call("POST", path);
    toast(`${plugin} is ${on ? "on" : "off"}`, { href: `/admin/operations/${json.id}`, link: "Receipt" });
  } catch (error) {
    toggle.checked = !on;
    refused(`${plugin} stays ${on ? "off" : "on"}`, error);
  } finally {
    busy(toggle, false);
    look();
  }
}

function agreed(plugin, dependents) {
  return confirm({
    title: `Disable ${plugin}?`,
    text: "Requests already in it end first.",
    dependents,
    yes: `Disable ${dependents.length + 1} plugins`,
  });
}

function busy(toggle, now) {
  if (now) toggle.dataset.busy = "1";
  else delete toggle.dataset.busy;
  toggle.setAttribute("aria-busy", String(now));
  toggle.disabled = now;
}
