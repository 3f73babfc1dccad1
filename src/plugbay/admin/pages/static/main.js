// What every page has.

import { start as actions } from "./actions.js";
import { start as filter } from "./filter.js";
import { start as keys } from "./keys.js";
import { start as live } from "./live.js";
import { start as session } from "./session.js";
import { start as switches } from "./switches.js";
import { start as toasts } from "./toast.js";

// On a phone the menu is a strip: what is open is to be seen in it.
document.querySelector("#menu a[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

for (const start of [toasts, session, keys, filter, switches, actions, live]) start();
