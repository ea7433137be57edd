import type { Reporter, TestCase, TestModule } from "vitest/node";

/** Ends a run with one plain line that people and scripts can read: `Tests: 12 passed, 0 failed, 1 skipped`. */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    for (const module of modules) {
      // A file that cannot be loaded has no tests to fail.
      if (!module.ok() && [...module.children.allTests("failed")].length === 0) counts.failed += 1;
      for (const test of module.children.allTests()) counts[outcome(test)] += 1;
    }
    // After the default reporter, which prints when all reporters were told.
    process.once("exit", () => {
      console.log(`Tests: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
    });
  }
}

function outcome(test: TestCase): "passed" | "failed" | "skipped" {
  const { state } = test.result();
  return state === "pending" ? "failed" : state;
}
