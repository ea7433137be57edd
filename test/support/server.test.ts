import { expect, inject, it } from "vitest";
import { describeWithOwnServer, useServer } from "./server";
import { until } from "./wait";

const redis = useServer();
const isShared = inject("redis").mode === "shared";

it("gives the file a connected client, and an empty database", async () => {
  expect(await redis.client.ping()).toBe("PONG");
  expect(await redis.client.dbSize()).toBe(0);
});

it("empties only the file's own database", async () => {
  await redis.client.set("mine", "1");
  await redis.flush();
  expect(await redis.client.dbSize()).toBe(0);
});

it.runIf(isShared)("keeps away from database 0 of a shared server", async () => {
  expect(new URL(redis.url).pathname).toMatch(/^\/([1-9]|1[0-5])$/);
  await expect(redis.kill()).rejects.toThrow(/shared/);
});

it("waits for what comes late, and says what did not come", async () => {
  let looks = 0;
  expect(await until(() => ++looks === 3 && "there")).toBe("there");
  await expect(until(() => false, { timeoutMs: 20, what: "a miracle" })).rejects.toThrow(
    "Waited 20 ms in vain for: a miracle",
  );
});

describeWithOwnServer("a server that is killed", () => {
  const crashing = useServer({ persistence: true });

  it("keeps what it had answered, and the client comes back", async () => {
    const { url } = crashing;
    for (let value = 1; value <= 100; value += 1) await crashing.client.incr("count");
    await crashing.restart({ signal: "SIGKILL" });
    expect(crashing.url).toBe(url);
    expect(await crashing.client.get("count")).toBe("100");
    await crashing.restart();
    expect(await crashing.client.incr("count")).toBe(101);
  });
});
