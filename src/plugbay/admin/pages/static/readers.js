// What people type into a field, as the value that the API takes.

/** A value that cannot be read at all. */
export class Unreadable extends Error {
  constructor(pointer, detail) {
    super(detail);
    this.pointer = pointer;
  }
}

export const READERS = {
  text: (text) => text,
  // A reference to a secret may stand where a number is expected: the worker resolves it.
  number: (text, at) => (text.startsWith("${") ? text : number(text, at)),
  integer: (text, at) => (text.startsWith("${") ? text : number(text, at)),
  boolean: (text) => JSON.parse(text),
  choice: (text) => JSON.parse(text),
  lines: (text, at, item) => filled(text).map((line) => (item === "string" ? line : number(line, at))),
  targets: (text, at) => filled(text).map((line) => target(line, at)),
  pairs: (text, at) => Object.fromEntries(filled(text).map((line) => pair(line, at))),
  members: (text, at) => filled(text).map((line) => member(line, at)),
  json: (text, at) => plain(text, at),
};

function filled(text) {
  return text.split("\n").map((line) => line.trim()).filter(Boolean);
}

/** A variable of an environment: `NAME=value`. */
function pair(line, at) {
  const place = line.indexOf("=");
  if (place < 1) throw new Unreadable(at, `is not NAME=value: ${line}`);
  return [line.slice(0, place).trim(), line.slice(place + 1).trim()];
}

/** A member of a federation: a server's name or a URL, and a prefix behind it. */
function member(line, at) {
  const [where, prefix, ...rest] = line.split(/\s+/);
  if (rest.length > 0) throw new Unreadable(at, `has more than a server and a prefix: ${line}`);
  const found = /^https?:/.test(where) ? { url: where } : { server: where };
  return prefix === undefined ? found : { ...found, prefix };
}

/** A target of an upstream: `host:port`, and a weight behind it. */
function target(line, at) {
  const [address, weight, ...rest] = line.split(/\s+/);
  if (rest.length > 0) throw new Unreadable(at, `has more than an address and a weight: ${line}`);
  return weight === undefined ? { address } : { address, weight: number(weight, at) };
}

function number(text, at) {
  const value = Number(text.trim().replace(",", "."));
  if (text.trim() === "" || Number.isNaN(value)) throw new Unreadable(at, "is not a number");
  return value;
}

/** Read JSON. Throws `Unreadable`. */
export function plain(text, at) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Unreadable(at, `is not JSON: ${error.message}`);
  }
}
