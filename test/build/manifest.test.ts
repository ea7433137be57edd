/** The manifest has the form that it publishes, and what it says of replies is what functions answer. */
import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { beforeAll, describe, expect, it } from "vitest";
import { checkDeclarations } from "../../scripts/build/declarations";
import { command, integer, json, jsonReply, type Declaration } from "../../functions/runtime/declare";
import type { Manifest, ManifestReply } from "../../scripts/build/manifest-schema";
import { STEPS } from "../support/acl/steps";
import { decodeRecord, loadLibrary } from "../support/functions";
import { describeWithOwnServer, useServer, type TestClient } from "../support/server";

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../dist/${name}`, import.meta.url), "utf8"));
const manifest = read("manifest.json") as Manifest;
const functions = manifest.libraries.flatMap((library) => library.functions);
const ajv = new Ajv2020({ strict: false, allErrors: true });
ajv.addSchema({ $id: "hotpath", schemas: manifest.schemas });
const isOf = (name: string) => ajv.getSchema(`hotpath#/schemas/${name}`)!;

/** What a value of a reply is that the manifest does not say; empty if it says all. */
function* strange(type: ManifestReply, value: unknown, at: string): Generator<string> {
  const wrong = (what: string): string => `${at} is ${JSON.stringify(value)}, not ${what}`;
  switch (type.kind) {
    case "nullable":
      if (value !== null) yield* strange(type.of!, value, at);
      return;
    case "list":
      for (const [place, each] of (value as unknown[]).entries()) yield* strange(type.of!, each, `${at}[${place}]`);
      return;
    case "tuple": {
      const values = value as unknown[];
      const items = type.items!;
      for (const [place, item] of items.entries()) yield* strange(item.type, values[place], `${at}.${item.name}`);
      const more = values.slice(items.length);
      if (!type.of && more.length > 0) yield wrong(`${items.length} values`);
      for (const each of type.of ? more : []) yield* strange(type.of!, each, `${at}…`);
      return;
    }
    case "record": {
      const fields = decodeRecord(value);
      for (const item of type.items!) yield* strange(item.type, fields[item.name], `${at}.${item.name}`);
      if (Object.keys(fields).length !== type.items!.length) yield wrong(`${type.items!.length} fields`);
      return;
    }
    case "json": {
      const check = isOf(type.schema!);
      if (!check(JSON.parse(value as string))) yield wrong(`a ${type.schema}: ${ajv.errorsText(check.errors)}`);
      return;
    }
    case "integer":
      if (!Number.isInteger(value)) yield wrong("an integer");
      if (type.flag && value !== 0 && value !== 1) yield wrong("0 or 1");
      if (type.always && value !== 1) yield wrong("1");
      if (type.unit === "unix_ms" && value !== 0 && (value as number) < 1e11) yield wrong("a time");
      return;
    default:
      if (typeof value !== "string") yield wrong("text");
      if (type.words && !type.words.includes(value as string)) yield wrong(`one of ${type.words.join(", ")}`);
      if (type.unit === "unix_ns" && !/^\d+$/.test(value as string)) yield wrong("digits");
  }
}

describe("the manifest", () => {
  it("has the form of its published JSON Schema", () => {
    const check = new Ajv2020({ strict: false, allErrors: true }).compile(read("manifest.schema.json") as object);
    expect(check(manifest) || check.errors).toBe(true);
    expect(check({ ...manifest, format: 2 })).toBe(false);
  });

  it("says of each function what a repeated call does", () => {
    for (const { name, repeat, role, readOnly } of functions)
      expect([name, repeat.kind === "reads"]).toEqual([name, readOnly || role === "reader"]);
  });

  it("has schemas that hold together", () => {
    for (const name of Object.keys(manifest.schemas)) expect(isOf(name)).toBeTypeOf("function");
  });
});

describeWithOwnServer("what functions answer", () => {
  const server = useServer();
  let client: TestClient;
  beforeAll(async () => {
    client = await server.connect();
    for (const { name } of manifest.libraries) await loadLibrary(client, name);
  });

  it.each(manifest.libraries.map(({ name }) => name))("is what the manifest says, in %s", async (library) => {
    await server.flush();
    const replies = new Map<string, unknown>();
    const unseen = new Set(manifest.libraries.find(({ name }) => name === library)!.functions.map(({ name }) => name));
    for (const { name, args, keys = [] } of STEPS[library]!) {
      const described = functions.find((each) => each.name === name);
      const given = (typeof args === "function" ? args(replies) : args).map((each) =>
        typeof each === "number" ? String(each) : each,
      );
      const words = described ? ["FCALL", name, String(keys.length), ...keys, ...given] : [name, ...given];
      const isBytes = JSON.stringify(described?.reply ?? {}).includes('"kind":"bytes"');
      const reply = await client.sendCommand(words);
      replies.set(name, reply);
      if (!described || isBytes || keys.length > 1) continue;
      expect([...strange(described.reply, reply, name)]).toEqual([]);
      if (described.repeat.kind === "same")
        expect.soft(await client.sendCommand(words), `${name}, repeated`).toEqual(reply);
      unseen.delete(name);
    }
    // Their replies are no text.
    expect(
      [...unseen].filter((name) => !["get_devices", "get_carry", "put_carry", "end_carry"].includes(name)),
    ).toEqual([]);
  });
});

describe("a declaration", () => {
  const WHOLE: Declaration = {
    ...{ name: "f", summary: "Does f", role: "admin", flags: [], positional: [], options: [], errors: ["BADARG"] },
    ...{ reply: jsonReply, answer: { doc: "what came", schema: "Thing" }, repeat: "same" },
  };
  const problems = (changes: Partial<Declaration>): string => {
    const { declaration } = command({ ...WHOLE, ...changes }, () => 1);
    try {
      checkDeclarations(new Map([["x", [declaration]]]), { Thing: { type: "object" } });
      return "";
    } catch (error) {
      return (error as Error).message;
    }
  };

  it("that says everything builds", () => {
    expect(problems({})).toBe("");
  });

  it.each<[string, Partial<Declaration>, string]>([
    ["an answer of one value", { answer: undefined! }, "answer is missing"],
    ["the schema of its answer", { answer: { doc: "what came" } }, "its answer is JSON without a schema"],
    ["a schema that is there", { answer: { doc: "what came", schema: "Other" } }, "there is no schema Other"],
    [
      "the schema of an argument",
      { positional: [{ name: "a", type: json(9), doc: "a" }] },
      "a is JSON without a schema",
    ],
    ["what a repeat does", { repeat: undefined! }, "repeat is missing"],
    ["options that exclude each other", { excludes: [["A", "B"]] }, "excludes names A, which is no option"],
    ["its own errors", { causes: { LIMIT: "too much" } }, "causes names LIMIT, which is no error of it"],
    ["a cursor to page by", { paging: "cursor" }, "paging by a cursor needs CURSOR"],
    [
      "an offset to page by",
      { paging: "offset", options: [{ name: "COUNT", type: integer(1, 2), doc: "n" }] },
      "paging needs OFFSET and COUNT",
    ],
  ])("does not build without %s", (_, changes, problem) => {
    expect(problems(changes)).toContain(problem);
  });
});
