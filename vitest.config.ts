import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import LongestFirst from "./test/support/sequencer";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/global-setup.ts"],
    setupFiles: ["test/support/lua-globals.ts"],
    reporters: ["default", "./test/support/summary-reporter.ts"],
    sequence: { sequencer: LongestFirst },
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Most tests wait for processes and servers: more of them at once than there are processors.
    maxWorkers: Math.max(3, availableParallelism()),
  },
});
