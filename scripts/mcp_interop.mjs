// Goes through steps with the official TypeScript SDK's client, and prints what came of each.
//
//     node mcp_interop.mjs SDK < '{"url": ... or "command": [...], "steps": [...]}'
import { readFileSync } from "node:fs";

const [sdk] = process.argv.slice(2);
const told = readFileSync(0, "utf8");
const load = (path) => import(`${sdk}/dist/esm/${path}`);
const { Client } = await load("client/index.js");
const { StdioClientTransport } = await load("client/stdio.js");
const { StreamableHTTPClientTransport } = await load("client/streamableHttp.js");
const types = await load("types.js");

const { url, command, steps } = JSON.parse(told);
const capabilities = { sampling: {}, elicitation: {}, roots: {} };
const client = new Client({ name: "interop", version: "1" }, { capabilities });
const asked = [];
client.setRequestHandler(types.CreateMessageRequestSchema, (request) => {
  asked.push(request.params.messages.length);
  return { role: "assistant", model: "none", content: { type: "text", text: "sampled" } };
});
client.setRequestHandler(types.ElicitRequestSchema, (request) => {
  asked.push(request.params.message);
  return { action: "decline" };
});
client.setRequestHandler(types.ListRootsRequestSchema, () => ({
  roots: [{ uri: "file:///interop", name: "interop" }],
}));

const does = {
  tools: () => client.listTools(),
  prompts: () => client.listPrompts(),
  resources: () => client.listResources(),
  templates: () => client.listResourceTemplates(),
  ping: () => client.ping(),
  read: (uri) => client.readResource({ uri }),
  prompt: (name, values) => client.getPrompt({ name, arguments: values }),
  call: (name, values) => client.callTool({ name, arguments: values }),
  async progress(name, values) {
    const seen = [];
    const onprogress = ({ progress, total }) => seen.push([progress, total]);
    const result = await client.callTool({ name, arguments: values }, undefined, { onprogress });
    return { seen, result };
  },
};

const transport = url
  ? new StreamableHTTPClientTransport(new URL(url))
  : new StdioClientTransport({ command: command[0], args: command.slice(1), stderr: "ignore" });
await client.connect(transport);
const found = [["server", client.getServerVersion(), client.getServerCapabilities()]];
for (const [what, ...values] of steps) {
  let outcome;
  try {
    outcome = await does[what](...values);
  } catch (error) {
    outcome = { error: error.code ?? null, message: error.message };
  }
  found.push([what, values[0] ?? null, outcome]);
}
console.log(JSON.stringify([...found, ["asked", asked]]));
await client.close();
process.exit(0);
