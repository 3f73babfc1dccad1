// Calls of the REST API, as the signed-in user: every change goes through it, by its rules.

export const API = "/admin/api/v1";
const token = document.querySelector('meta[name="csrf"]')?.content ?? "";

/** What the API refused, with its reasons. */
export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `the gateway answered ${status}`);
    this.status = status;
    this.errors = problem.errors ?? [];
  }

  /** The reasons as lines of text, remedies included. */
  get lines() {
    return this.errors.map((error) => {
      const where = error.pointer || error.parameter || error.layer || "";
      const expected = error.expected ? ` (expected ${error.expected})` : "";
      const remedy = error.remedy ? ` ${error.remedy}` : "";
      return `${where} ${error.detail}${expected}.${remedy}`.trim();
    });
  }
}

/** Headers that prove that it is our own page that asks. */
export function proof() {
  return token ? { "x-csrf-token": token } : {};
}

/** A key under which a change is made once, however often it is sent. */
export function freshKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Ask the API. Throws `Refusal`; without a session it leads to the form to sign in. */
export async function call(method, path, { body, headers = {} } = {}) {
  const sent = { ...proof(), ...headers };
  if (method !== "GET") sent["idempotency-key"] ??= freshKey();
  if (body !== undefined) sent["content-type"] = "application/json";
  let answer;
  try {
    const content = body === undefined ? undefined : JSON.stringify(body);
    answer = await fetch(API + path, { method, headers: sent, body: content });
  } catch {
    throw new Refusal(0, { detail: "the gateway cannot be reached" });
  }
  const text = await answer.text();
  const json = text && answer.headers.get("content-type")?.includes("json") ? JSON.parse(text) : {};
  if (answer.ok) return { status: answer.status, json, etag: answer.headers.get("etag") ?? "" };
  if (answer.status === 401 && token) leave();
  throw new Refusal(answer.status, json);
}

/** Go to the form to sign in, and come back here afterwards. */
export function leave() {
  const here = location.pathname + location.search;
  location.assign(`/admin/sign-in?next=${encodeURIComponent(here)}`);
}
