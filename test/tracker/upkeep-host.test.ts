import { describe, expect, it } from "vitest";
import { keepUp, type UpkeepFunctions } from "../../host/tracker/upkeep";

/** Functions that answer one slice after the other. */
function sliced(slices: [done: number, remaining: number][]): { functions: UpkeepFunctions; calls: () => number } {
  let calls = 0;
  const next = () => slices[Math.min(calls++, slices.length - 1)]!;
  return {
    calls: () => calls,
    functions: {
      refreshDocuments: async () => {
        const [announced, remaining] = next();
        return { announced, remaining };
      },
      expireDocuments: async () => {
        const [removed, remaining] = next();
        return { removed, remaining };
      },
    },
  };
}

describe.each(["refresh", "expire"] as const)("%s", (job) => {
  it("calls until nothing remains, also where slices find nothing", async () => {
    const { functions, calls } = sliced([
      [2, 1],
      [0, 1],
      [3, 0],
    ]);
    expect(await keepUp(functions, job, () => true)).toEqual({ done: 5, slices: 3, finished: true });
    expect(calls()).toBe(3);
  });

  it("ends between two calls", async () => {
    const { functions, calls } = sliced([[1, 1]]);
    expect(await keepUp(functions, job, () => calls() < 2)).toEqual({ done: 2, slices: 2, finished: false });
  });

  it("does not go on for ever", async () => {
    const { functions, calls } = sliced([[0, 1]]);
    await expect(keepUp(functions, job, () => true)).rejects.toThrow(`${job}_documents has answered 1000000 times`);
    expect(calls()).toBe(1_000_000);
  });
});
