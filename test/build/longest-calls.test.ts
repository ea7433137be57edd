import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { LONGEST_CASES } from "../../scripts/bench/longest/cases";

const MANIFEST = new URL("../../dist/manifest.json", import.meta.url);

it("measures the longest call of every function", () => {
  const { libraries } = JSON.parse(readFileSync(MANIFEST, "utf8")) as {
    libraries: { functions: { name: string }[] }[];
  };
  const names = libraries.flatMap(({ functions }) => functions.map(({ name }) => name));
  expect(Object.keys(LONGEST_CASES).sort()).toEqual(names.sort());
});
