// Search and filter: the list follows what is typed, and so does the address.

import { refresh } from "./live.js";

const PAUSE = 120;

/** Listen to the forms marked `filter`. */
export function start() {
  for (const form of document.querySelectorAll("form.filter")) {
    let timer = 0;
    const follow = () => {
      clearTimeout(timer);
      timer = setTimeout(() => apply(form), PAUSE);
    };
    form.addEventListener("input", follow);
    form.addEventListener("change", follow);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      apply(form);
    });
  }
}

function apply(form) {
  const fields = [...new FormData(form)].filter(([, value]) => value !== "");
  const query = new URLSearchParams(fields).toString();
  history.replaceState(null, "", query ? `?${query}` : location.pathname);
  refresh(true);
}
