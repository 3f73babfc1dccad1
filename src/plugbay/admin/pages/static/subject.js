// What a form is about: how it is checked, how it is saved, and what is said afterwards.

import { call } from "./api.js";

const WAIT = "wait=converged&timeout=60";

/** The subject of a form: a plugin's configuration, or a route, an upstream or an MCP server. */
export function subjectOf(form) {
  const { subject, name, etag } = form.dataset;
  return subject === "config" ? configuration(name, etag) : specification(subject, name, etag);
}

function configuration(plugin, etag) {
  return {
    name: plugin,
    failed: `${plugin} keeps its configuration`,
    async check(config) {
      const { json } = await call("POST", `/plugins/${plugin}/config/validate`, { body: { config } });
      return json.differences;
    },
    async save(config, comment) {
      const headers = { "if-match": etag };
      await call("PUT", `/plugins/${plugin}/config?${WAIT}`, { headers, body: { config, comment } });
      return `${plugin} has its new configuration`;
    },
  };
}

/** `kind` is a path of the API, such as routes or mcp/servers; without a `known` name it is a new
 * one, which the form names. */
function specification(kind, known, etag) {
  const keys = kind.split("/");
  const word = { "mcp/servers": "MCP server" }[kind] ?? keys.at(-1).slice(0, -1);
  return {
    name: known || `the ${word}`,
    failed: known ? `${known} stays as it is` : `The ${word} was not added`,
    then: keys[0] === "mcp" ? "/admin/mcp" : "/admin/routes",
    async check(spec) {
      const whole = { ...spec, ...(known ? { name: known } : {}) };
      const body = keys.reduceRight((inner, key) => ({ [key]: inner }), [whole]);
      try {
        const { json } = await call("POST", "/plan", { body });
        return json.steps.flatMap((step) => (step.op === "add" ? [{ pointer: step.name, op: "add", new: spec }] : step.differences));
      } catch (error) {
        const place = new RegExp(`^/${kind}/\\d+`);
        for (const one of error.errors ?? []) one.pointer = (one.pointer ?? "").replace(place, "");
        throw error;
      }
    },
    async save(spec, comment) {
      const name = known || spec.name;
      const headers = etag ? { "if-match": etag } : {};
      const reason = comment ? `&reason=${encodeURIComponent(comment)}` : "";
      await call("PUT", `/${kind}/${encodeURIComponent(name)}?${WAIT}${reason}`, { headers, body: { ...spec, name } });
      return `The ${word} ${name} is in force`;
    },
  };
}
