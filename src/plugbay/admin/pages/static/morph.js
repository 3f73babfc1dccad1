// Make a part of the page equal to a fresh copy of it, changing only what differs: the focus,
// what is typed, what is open and what is scrolled stay as they are.

/**
 * Make `old` like `fresh`. Elements marked `data-steady` keep their children's places while they
 * are in use, unless `hurry` says that it is the user's own doing.
 */
export function morph(old, fresh, hurry = false) {
  attributes(old, fresh);
  if (old.matches("textarea, select") || old.dataset.own !== undefined) return;
  children(old, fresh, hurry);
}

/** Whether the pointer or the focus is inside, so that nothing in it may move. */
export function inUse(element) {
  return element.matches(":hover") || element.contains(document.activeElement);
}

function attributes(old, fresh) {
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !lasting(old, name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !lasting(old, name)) old.setAttribute(name, value);
  }
  if (old.matches('input[type="checkbox"]') && !old.dataset.busy) {
    old.checked = fresh.hasAttribute("checked");
  }
}

function lasting(element, name) {
  return name === "data-busy" || name === "aria-busy" || (name === "open" && element.matches("details, dialog"));
}

function children(old, fresh, hurry) {
  const keyed = new Map([...old.children].filter((one) => one.id).map((one) => [one.id, one]));
  const still = !hurry && old.dataset.steady !== undefined && inUse(old);
  if (still && moved(old, fresh)) {
    old.dataset.late = "";
    for (const one of fresh.children) if (keyed.has(one.id)) morph(keyed.get(one.id), one);
    return;
  }
  delete old.dataset.late;
  let place = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const known = wanted.id ? keyed.get(wanted.id) : undefined;
    if (known) {
      if (known !== place) old.insertBefore(known, place);
      else place = place.nextSibling;
      morph(known, wanted, hurry);
    } else if (place && !place.id && !wanted.id && same(place, wanted)) {
      const here = place;
      place = place.nextSibling;
      if (here.nodeType === Node.ELEMENT_NODE) morph(here, wanted, hurry);
      else if (here.data !== wanted.data) here.data = wanted.data;
    } else {
      old.insertBefore(document.importNode(wanted, true), place);
    }
  }
  while (place) {
    const gone = place;
    place = place.nextSibling;
    gone.remove();
  }
}

function same(one, other) {
  return one.nodeType === other.nodeType && one.nodeName === other.nodeName;
}

function moved(old, fresh) {
  const ids = (element) => [...element.children].map((one) => one.id).join(" ");
  return ids(old) !== ids(fresh);
}
