// The keyboard: `/` searches, arrows move in lists, Escape leaves.

const TYPING = 'input:not([type="checkbox"]), textarea, select, [contenteditable]';
const STEP = { ArrowDown: 1, ArrowUp: -1 };

/** Listen to keys. */
export function start() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
    const search = document.querySelector("[data-search]");
    if (event.key === "/" && search && !event.target.matches(TYPING)) {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key in STEP) {
      move(event, search);
    } else if (event.key === "Escape" && event.target === search) {
      if (search.value === "") search.blur();
      search.value = "";
      search.dispatchEvent(new Event("input", { bubbles: true }));
    }
  });
}

function move(event, search) {
  const list = event.target.closest("[data-arrows]") ?? (event.target === search && document.querySelector("[data-arrows]"));
  if (!list) return;
  const links = [...list.querySelectorAll("a.name")];
  const row = event.target.closest("tr, li");
  const here = links.findIndex((link) => row?.contains(link));
  const next = links[here + STEP[event.key]];
  event.preventDefault();
  if (next) next.focus();
  else if (here <= 0 && event.key === "ArrowUp") search?.focus();
}
