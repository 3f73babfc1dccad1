// One layer of the proof: its mark, how long it took, and what it found with the remedy.

const MARKS = { started: ["wait", "…", "looking"], passed: ["pass", "✓", "passed"], failed: ["fail", "✕", "failed"], skipped: ["wait", "·", "skipped"] };

/** A layer that nothing is known of yet. */
export function layerItem() {
  const item = document.createElement("li");
  item.className = "wait";
  item.append(text("span", "mark", "·"), text("b", "", "…"), text("span", "what", ""), text("small", "", ""));
  item.firstChild.setAttribute("aria-hidden", "true");
  return item;
}

/** Show what an event says of a layer. */
export function showLayer(item, { layer, status, report }) {
  const [kind, mark, words] = MARKS[status];
  const [first, name, what, time] = item.children;
  item.className = kind;
  first.textContent = mark;
  name.textContent = layer;
  what.textContent = status === "skipped" ? skipped(item) : words;
  time.textContent = report && status !== "skipped" ? `${report.ms.toFixed(1)} ms` : "";
  item.querySelectorAll(".finding").forEach((old) => old.remove());
  item.append(...(report?.findings ?? []).map(finding));
}

/** Why a layer did not look: one before it failed, or this kind of file is none of its business. */
function skipped(item) {
  return item.parentElement.querySelector(".fail") ? "skipped: an earlier layer failed" : "not needed for this one";
}

function finding(one) {
  const box = text("div", `finding ${one.severity}`, "");
  box.append(text("b", "", one.pointer ? `${one.pointer}: ${one.detail}` : one.detail));
  const sides = [["expected", one.expected], ["found", one.found]].filter(([, said]) => said);
  if (sides.length > 0) box.append(text("div", "", sides.map((side) => side.join(" ")).join(", ")));
  if (one.remedy) box.append(text("div", "remedy", one.remedy));
  return box;
}

function text(tag, kind, words) {
  const node = document.createElement(tag);
  if (kind) node.className = kind;
  node.textContent = words;
  return node;
}
