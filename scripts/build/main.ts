/** `npm run build`: libraries, manifest, reference, contract, the bundled host and the package as a library. */
import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build as bundle } from "esbuild";
import "../lua-globals";
import type { Command, Declaration } from "../../functions/runtime/declare";
import { commands as catalog } from "../../functions/catalog/library";
import { schemas as catalogSchemas } from "../../functions/catalog/schemas";
import { commands as metadata } from "../../functions/metadata/library";
import { schemas as metadataSchemas } from "../../functions/metadata/schemas";
import { commands as notifier } from "../../functions/notifier/library";
import { schemas as notifierSchemas } from "../../functions/notifier/schemas";
import { commands as tracker } from "../../functions/tracker/library";
import { schemas as trackerSchemas } from "../../functions/tracker/schemas";
import { REASONS } from "../../functions/tracker/events";
import { assemble } from "./assemble";
import { checkLua } from "./check";
import { compileLibrary } from "./compile";
import { renderContract } from "./contract";
import { renderGo } from "./clients/go";
import { renderPython } from "./clients/python";
import { checkDeclarations } from "./declarations";
import { findFacts } from "./facts";
import { makeManifest, type BuiltLibrary } from "./manifest";
import { manifestJsonSchema } from "./manifest-schema";
import { renderReference } from "./reference";
import { readProgram } from "./rights/lua-program";
import { findRights } from "./rights/rights";
import { declareTypes } from "./types";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

/** Every library with its size budget in bytes: a library is sent whole at each deploy and kept by each replica. */
const LIBRARIES: { name: string; commands: readonly Command[]; budgetBytes: number }[] = [
  { name: "tracker", commands: tracker, budgetBytes: 276 * 1024 },
  { name: "notifier", commands: notifier, budgetBytes: 90 * 1024 },
  { name: "metadata", commands: metadata, budgetBytes: 188 * 1024 },
  { name: "catalog", commands: catalog, budgetBytes: 168 * 1024 },
];

async function write(path: string, text: string): Promise<void> {
  const target = resolve(ROOT, path);
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, text);
}

const SCHEMAS = { ...trackerSchemas, ...notifierSchemas, ...metadataSchemas, ...catalogSchemas };

/** Builds one library, with the rights that its functions need. */
function buildLibrary(
  name: string,
  version: string,
  declarations: readonly Declaration[],
  budgetBytes: number,
): BuiltLibrary & { code: string } {
  const chunk = compileLibrary(ROOT, name);
  const problems = checkLua(chunk, budgetBytes);
  if (problems.length > 0) throw new Error(`${name}:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
  const rights = findRights(readProgram(chunk), name, declarations);
  const { code, hash } = assemble(name, version, chunk, declarations);
  return { name, file: `${name}.lua`, hash, bytes: Buffer.byteLength(code), declarations, rights, code };
}

/** Dependencies in CommonJS call require, which a module does not have. */
const REQUIRE = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';

/**
 * The command, its demo, and the package as a library with its types. They share chunks, and each lazy import has chunks
 * of its own, so that a command loads no more than it needs.
 */
async function buildHost(version: string): Promise<void> {
  const outdir = resolve(ROOT, "dist");
  // A chunk is named after its content: those of other builds would stay.
  await rm(join(outdir, "chunks"), { recursive: true, force: true });
  await bundle({
    entryPoints: {
      hotpath: resolve(ROOT, "host/cli/main.ts"),
      demo: resolve(ROOT, "demo/main.ts"),
      index: resolve(ROOT, "host/index.ts"),
    },
    outdir,
    chunkNames: "chunks/[name]-[hash]",
    splitting: true,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    minifySyntax: true,
    minifyWhitespace: true,
    keepNames: true,
    logLevel: "warning",
    define: { HOTPATH_VERSION: JSON.stringify(version) },
    banner: { js: REQUIRE },
  });
  await chmod(resolve(ROOT, "dist/hotpath.js"), 0o755);
  const types = declareTypes(resolve(ROOT, "host/index.ts"));
  for (const [path, text] of types) await write(join("dist/types", relative(resolve(ROOT, "host"), path)), text);
}

async function main(): Promise<void> {
  const { version } = JSON.parse(await readFile(resolve(ROOT, "package.json"), "utf8")) as { version: string };
  const declarations = new Map(
    LIBRARIES.map(({ name, commands }) => [name, commands.map((each) => each.declaration)] as const),
  );
  checkDeclarations(declarations, SCHEMAS);
  await write("docs/functions.md", renderReference(declarations, SCHEMAS, REASONS));
  await write("host/contract.ts", renderContract(declarations, findFacts([...declarations.keys()])));
  const libraries = LIBRARIES.map(({ name, budgetBytes }) =>
    buildLibrary(name, version, declarations.get(name) ?? [], budgetBytes),
  );
  for (const { file, code } of libraries) await write(`dist/${file}`, code);
  const described = libraries.map(({ code: _, ...library }) => library);
  const manifest = makeManifest(version, described, SCHEMAS, REASONS);
  await write("dist/manifest.json", `${JSON.stringify(manifest, null, 2)}\n`);
  await write("dist/manifest.schema.json", `${JSON.stringify(manifestJsonSchema(), null, 2)}\n`);
  for (const [path, text] of renderPython(manifest)) await write(join("clients/python/hotpath", path), text);
  for (const [path, text] of renderGo(manifest)) await write(join("clients/go", path), text);
  await buildHost(version);
  for (const { file, hash, bytes } of libraries) {
    console.log(`dist/${file}  ${bytes} bytes  ${hash.slice(0, 12)}`);
  }
}

await main();
