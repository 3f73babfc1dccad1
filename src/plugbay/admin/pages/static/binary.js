// What a file is, told by its first bytes, and the manifest of one that carries none.

const ELF_EXECUTABLE = 2;

/** The kind of a file: a word for people, and the runtime if it needs a manifest. */
export async function kindOf(file) {
  const head = new Uint8Array(await file.slice(0, 20).arrayBuffer());
  const starts = (...bytes) => bytes.every((byte, index) => head[index] === byte);
  const name = file.name.toLowerCase().replace(/\.(so|exe|bin)$/, "").replace(/[-_]?v?\d+(\.\d+)+.*$/, "").replace(/[^a-z0-9-]+/g, "-").replace(/^[^a-z]+/, "");
  if (starts(0x50, 0x4b)) return { word: "wheel" };
  if (starts(0x00, 0x61, 0x73, 0x6d)) return { word: "WebAssembly" };
  if (!starts(0x7f, 0x45, 0x4c, 0x46)) return { word: "unknown" };
  const shared = head[16] !== ELF_EXECUTABLE && file.name.toLowerCase().endsWith(".so");
  return shared ? { word: "Go .so", runtime: "goso", name } : { word: "executable", runtime: "process", name };
}

/** plugbay.toml of a binary. JSON's strings are TOML's basic strings. */
export function manifestOf(kind, fields) {
  const entry = kind.runtime === "goso" ? "New" : fields.dialect;
  const lines = [
    ["id", fields.id.trim()],
    ["version", fields.version.trim()],
    ["api", 1],
    ["runtime", kind.runtime],
    ["entry", entry],
    ["provides", fields.provides],
  ].map(line);
  const order = [["phase", fields.phase], ["priority", Number(fields.priority)]].map(line);
  return [...lines, "[order]", ...order, ""].join("\n");
}

function line([key, value]) {
  return `${key} = ${JSON.stringify(value)}`;
}
