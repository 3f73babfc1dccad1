// The theme, and the way out.

import { call } from "./api.js";
import { refused } from "./toast.js";

const YEAR = 31536000;

/** Listen to the two buttons below the menu, and show where in a menu that scrolls one is. */
export function start() {
  document.querySelector(".menu [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });
  document.getElementById("theme").addEventListener("click", change);
  document.getElementById("sign-out").addEventListener("click", async () => {
    try {
      await call("DELETE", "/sessions/current");
      location.assign("/admin/sign-in");
    } catch (error) {
      refused("Still signed in", error);
    }
  });
}

/** The other one of light and dark, from now on. The server draws the next page in it. */
function change() {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const theme = (root.dataset.theme || dark) === "dark" ? "light" : "dark";
  root.dataset.theme = theme;
  document.cookie = `plugbay_theme=${theme}; path=/admin; max-age=${YEAR}; samesite=strict`;
}
