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
  const added = !known && keys[0] === "mcp";

  /** The specification, and the route to it that a new MCP server has with a `path`. */
  function parts(said) {
    if (!added) return { spec: { ...said, ...(known ? { name: known } : {}) }, routes: [] };
    const { path, ...spec } = said;
    return { spec, routes: path ? [{ name: spec.name, path, mcp: spec.name }] : [] };
  }

  async function plan(spec, routes) {
    const body = keys.reduceRight((inner, key) => ({ [key]: inner }), [spec]);
    if (routes.length) body.routes = routes;
    try {
      const { json, etag } = await call("POST", "/plan", { body });
      const steps = json.steps.filter((step) => step.op === "add");
      const taken = known ? [] : occupied(kind, spec, routes, steps);
      if (taken.length) throw Object.assign(new Error("the name is taken"), { errors: taken });
      return { body, steps: json.steps, etag };
    } catch (error) {
      const place = new RegExp(`^/${kind}/\\d+`);
      for (const one of error.errors ?? []) {
        const pointer = one.pointer ?? "";
        one.pointer = added && pointer.startsWith("/routes/") ? "/path" : pointer.replace(place, "");
      }
      throw error;
    }
  }

  return {
    name: known || `the ${word}`,
    failed: known ? `${known} stays as it is` : `The ${word} was not added`,
    then: keys[0] === "mcp" ? "/admin/mcp" : "/admin/routes",
    async check(said) {
      const { spec, routes } = parts(said);
      const { steps } = await plan(spec, routes);
      return steps.flatMap((step) => {
        if (step.op !== "add") return step.differences;
        const way = added && step.kind === "routes";
        return [{ pointer: way ? `route ${step.name}` : step.name, op: "add", new: way ? routes[0] : spec }];
      });
    },
    async save(said, comment) {
      const { spec, routes } = parts(said);
      const reason = comment ? `&reason=${encodeURIComponent(comment)}` : "";
      if (routes.length) {
        const { body, etag: seen } = await plan(spec, routes);
        await call("POST", `/apply?${WAIT}${reason}`, { headers: { "if-match": seen }, body });
        return `The ${word} ${spec.name} is in force, and the route ${routes[0].path} leads to it`;
      }
      const headers = etag ? { "if-match": etag } : {};
      await call("PUT", `/${kind}/${encodeURIComponent(spec.name)}?${WAIT}${reason}`, { headers, body: spec });
      return `The ${word} ${spec.name} is in force`;
    },
  };
}

/** What stands in the way of something new: a name that is somebody's already. */
function occupied(kind, spec, routes, steps) {
  const wanted = [[kind.replace("/", "_"), spec.name, "/name"], ...routes.map((one) => ["routes", one.name, "/path"])];
  const free = (what, name) => steps.some((step) => step.kind === what && step.name === name);
  return wanted.filter(([what, name]) => name && !free(what, name)).map(([what, name, pointer]) => ({ pointer, detail: `${what === "routes" ? "a route" : "one"} called ${name} is there already`, remedy: "Choose another name." }));
}
