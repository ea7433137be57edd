/* The memory of functions: Lua's collector is slowed down, and must not be left behind. */
import { expect, it } from "vitest";
import { MINUTE } from "../support/time";
import { useTracker } from "../support/tracker";

const tracker = useTracker();

const MEGABYTE = 1 << 20;

/** Bytes that all functions of the server hold. */
async function heap(): Promise<number> {
  return Number(/used_memory_vm_functions:(\d+)/.exec(await tracker.client.info("memory"))![1]);
}

const event = (at: number): string =>
  JSON.stringify({
    url: `https://site.example/news/${at % 500}.html?from=${at}`,
    uui: `device-${at}`,
    dt: Date.now() - (at % 5) * MINUTE,
  });

/** Most that the heap holds after each of so many calls; garbage of a hundred megabytes is made meanwhile. */
async function highest(calls: number, call: (at: number) => Promise<unknown>): Promise<number> {
  let most = 0;
  for (let at = 0; at < calls; at += 1) {
    await call(at);
    most = Math.max(most, await heap());
  }
  return most;
}

it("the heap stays small while large batches are counted", async () => {
  const most = await highest(150, (call) =>
    tracker.call("track_events", ...Array.from({ length: 1000 }, (_, at) => event(1000 * call + at))),
  );
  expect(most).toBeLessThan(32 * MEGABYTE);
});

it("the heap stays small while single events are counted", async () => {
  const most = await highest(100, (call) =>
    Promise.all(Array.from({ length: 500 }, (_, at) => tracker.call("track_events", event(500 * call + at)))),
  );
  expect(most).toBeLessThan(32 * MEGABYTE);
});
