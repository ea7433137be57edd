/** The order in which the files of tests are run: those that take long first, so that none is waited for alone at the end. */
import { readFileSync } from "node:fs";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** What waits for programs, or does the same very often. */
const TAKES_LONG = /\b(useDemo|useHosts|runHotpath|runNode|openTerminal)\b|from "fast-check"|00_000\b/;

/** Vitest goes by how long a file took the last time, which a fresh clone does not know. */
export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const ordered = await super.sort(files);
    const isLong = (file: TestSpecification): boolean => TAKES_LONG.test(readFileSync(file.moduleId, "utf8"));
    const long = new Set(ordered.filter(isLong));
    return [...long, ...ordered.filter((file) => !long.has(file))];
  }
}
