import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** What waits for programs, or does the same very often. */
const TAKES_LONG = /\b(useDemo|useHosts|useClusterHosts|runHotpath|runNode|openTerminal)\b|from "fast-check"|00_000\b/;

/**
 * Runs the files that take long first, so that none is waited for alone at the end. Vitest goes by how long a file took the
 * last time, which a fresh clone does not know.
 */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const ordered = await super.sort(files);
    const isLong = (file: TestSpecification): boolean => TAKES_LONG.test(readFileSync(file.moduleId, "utf8"));
    const long = new Set(ordered.filter(isLong));
    return [...long, ...ordered.filter((file) => !long.has(file))];
  }
}

/** What takes minutes, and is not part of `npm test`: `npm run test:cluster`. */
const LONG = "test/cluster-long/**/*.test.ts";

export default defineConfig(({ mode }) => ({
  test: {
    include: [mode === "cluster" ? LONG : "test/**/*.test.ts"],
    exclude: ["node_modules/**", ...(mode === "cluster" ? [] : [LONG])],
    globalSetup: ["test/support/global-setup.ts"],
    setupFiles: ["test/support/lua-globals.ts"],
    reporters: ["default", "./test/support/summary-reporter.ts"],
    sequence: { sequencer: LongestFirst },
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Most tests wait for processes and servers: more of them at once than there are processors.
    maxWorkers: Math.max(3, availableParallelism()),
  },
}));
