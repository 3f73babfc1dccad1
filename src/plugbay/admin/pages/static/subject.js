// What a form is about: how it is checked, how it is saved, and what is said afterwards.

import { call } from "./api.js";

const WAIT = "wait=converged&timeout=60";

/** The subject of a form: a plugin's configuration, or a route or an upstream. */
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

/** `kind` is routes or upstreams; without a `known` name it is a new one, which the form names. */
function specification(kind, known, etag) {
  const word = kind.slice(0, -1);
  return {
    name: known || `the ${word}`,
    failed: known ? `${known} stays as it is` : `The ${word} was not added`,
    then: "/admin/routes",
    async check(spec) {
      const body = { [kind]: [{ ...spec, ...(known ? { name: known } : {}) }] };
      try {
        const { json } = await call("POST", "/plan", { body });
        return json.steps.flatMap((step) => (step.op === "add" ? [{ pointer: step.name, op: "add", new: spec }] : step.differences));
      } catch (error) {
        for (const one of error.errors ?? []) one.pointer = (one.pointer ?? "").replace(/^\/(routes|upstreams)\/\d+/, "");
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
