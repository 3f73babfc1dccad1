// The one dialog that asks before something is destroyed or let in, and names what depends on it.

/** Ask; resolves to whether the answer was yes. Escape is a no. */
export function confirm({ title, text = "", dependents = [], yes, danger = true }) {
  const dialog = document.getElementById("confirm");
  document.getElementById("confirm-title").textContent = title;
  document.getElementById("confirm-text").textContent = text;
  const button = document.getElementById("confirm-yes");
  button.textContent = yes;
  button.classList.toggle("danger", danger);
  button.classList.toggle("primary", !danger);
  document.getElementById("confirm-no").textContent = danger ? "Keep it" : "Cancel";
  const list = document.getElementById("confirm-dependents");
  list.hidden = dependents.length === 0;
  list.querySelector("p").textContent = "These need it, and stop with it:";
  list.querySelector("ul").replaceChildren(...dependents.map(item));
  dialog.returnValue = "";
  dialog.showModal();
  document.getElementById("confirm-no").focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

function item(name) {
  const node = document.createElement("li");
  node.textContent = name;
  return node;
}
