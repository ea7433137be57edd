/** `npm run build`: libraries, manifest, reference, contract and the bundled host. */
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build as bundle } from "esbuild";
import "../lua-globals";
import type { Command, Declaration } from "../../functions/runtime/declare";
import { commands as catalog } from "../../functions/catalog/library";
import { commands as metadata } from "../../functions/metadata/library";
import { commands as notifier } from "../../functions/notifier/library";
import { commands as tracker } from "../../functions/tracker/library";
import { assemble, type AssembledLibrary } from "./assemble";
import { checkLua } from "./check";
import { compileLibrary } from "./compile";
import { renderContract } from "./contract";
import { checkDeclarations } from "./declarations";
import { renderReference } from "./reference";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

/** Every library with its size budget in bytes: a library is sent whole at each deploy and kept by each replica. */
const LIBRARIES: { name: string; commands: readonly Command[]; budgetBytes: number }[] = [
  { name: "tracker", commands: tracker, budgetBytes: 224 * 1024 },
  { name: "notifier", commands: notifier, budgetBytes: 72 * 1024 },
  { name: "metadata", commands: metadata, budgetBytes: 112 * 1024 },
  { name: "catalog", commands: catalog, budgetBytes: 160 * 1024 },
];

async function write(path: string, text: string): Promise<void> {
  const target = resolve(ROOT, path);
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, text);
}

function buildLibrary(name: string, version: string, declarations: readonly Declaration[], budgetBytes: number): AssembledLibrary {
  const chunk = compileLibrary(ROOT, name);
  const problems = checkLua(chunk, budgetBytes);
  if (problems.length > 0) throw new Error(`${name}:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
  return assemble(name, version, chunk, declarations);
}

async function bundleHost(version: string): Promise<void> {
  const outfile = resolve(ROOT, "dist/hotpath.js");
  await bundle({
    entryPoints: [resolve(ROOT, "host/cli.ts")],
    outfile,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    minifySyntax: true,
    logLevel: "warning",
    define: { HOTPATH_VERSION: JSON.stringify(version) },
    banner: {
      // Dependencies in CommonJS call require, which a module does not have.
      js: '#!/usr/bin/env node\nimport { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
    },
  });
  await chmod(outfile, 0o755);
}

async function main(): Promise<void> {
  const { version } = JSON.parse(await readFile(resolve(ROOT, "package.json"), "utf8")) as { version: string };
  const declarations = new Map(
    LIBRARIES.map(({ name, commands }) => [name, commands.map((each) => each.declaration)] as const),
  );
  checkDeclarations(declarations);
  await write("docs/functions.md", renderReference(declarations));
  await write("host/contract.ts", renderContract(declarations));
  const libraries = LIBRARIES.map(({ name, budgetBytes }) =>
    buildLibrary(name, version, declarations.get(name) ?? [], budgetBytes),
  );
  for (const library of libraries) await write(`dist/${library.name}.lua`, library.code);
  const manifest = {
    version,
    libraries: libraries.map(({ name, hash, code }) => ({
      name,
      file: `${name}.lua`,
      hash,
      bytes: Buffer.byteLength(code),
      functions: declarations.get(name),
    })),
  };
  await write("dist/manifest.json", `${JSON.stringify(manifest, null, 2)}\n`);
  await bundleHost(version);
  for (const { name, hash, code } of libraries) {
    console.log(`dist/${name}.lua  ${Buffer.byteLength(code)} bytes  ${hash.slice(0, 12)}`);
  }
}

await main();
