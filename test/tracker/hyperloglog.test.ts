import { RESP_TYPES } from "@redis/client";
import { beforeEach, describe, expect, it } from "vitest";
import { countUnion } from "../../host/tracker/hyperloglog";
import { useServer } from "../support/server";

const redis = useServer();
beforeEach(() => redis.flush());

const bytesOf = async (key: string): Promise<Buffer> =>
  (await redis.client.sendCommand(["GET", key], {
    typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer },
  })) as unknown as Buffer;

async function add(key: string, from: number, count: number): Promise<void> {
  for (let at = 0; at < count; at += 1000) {
    const devices = Array.from({ length: Math.min(1000, count - at) }, (_, index) => `device ${from + at + index}`);
    await redis.client.pfAdd(key, devices);
  }
}

describe("the union of HyperLogLogs outside of Redis", () => {
  it.each([
    { what: "sparse ones", sizes: [1, 30, 200] },
    { what: "dense ones", sizes: [20_000, 50_000, 90_000] },
    { what: "sparse and dense ones", sizes: [3, 400, 70_000, 5_000, 1] },
    { what: "one", sizes: [12_345] },
  ])("is what PFCOUNT answers, for $what", async ({ sizes }) => {
    const keys: string[] = [];
    for (const [at, size] of sizes.entries()) {
      // A third of each is in the next one as well.
      await add(`h${at}`, at * 20_000, size);
      keys.push(`h${at}`);
    }
    expect(countUnion(await Promise.all(keys.map(bytesOf)))).toBe(await redis.client.pfCount(keys));
  });

  it("is what PFCOUNT answers at every size on the way", async () => {
    for (let size = 1; size < 40_000; size = Math.ceil(size * 1.7)) {
      await add("growing", 0, size);
      expect(countUnion([await bytesOf("growing")])).toBe(await redis.client.pfCount("growing"));
    }
  });

  it("is nothing for none, and for empty ones", async () => {
    await redis.client.sendCommand(["PFADD", "empty"]);
    expect(countUnion([])).toBe(0);
    expect(countUnion([await bytesOf("empty"), await bytesOf("empty")])).toBe(0);
  });

  it("refuses what is no HyperLogLog", () => {
    const header = [..."HYLL"].map((letter) => letter.charCodeAt(0));
    const rest = new Array<number>(11).fill(0);
    const sparse = (...runs: number[]) => Buffer.from([...header, 1, ...rest, ...runs]);
    expect(countUnion([sparse(0x7f, 0xff)])).toBe(0);
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.from("HYLL"),
      Buffer.from([...header, 0, ...rest]),
      Buffer.from([...header, 2, ...rest, 0x7f, 0xff]),
      sparse(),
      sparse(0x7f),
      sparse(0x7f, 0xfe),
      sparse(0x7f, 0xff, 0x00),
    ])
      expect(() => countUnion([bytes])).toThrow(RangeError);
  });
});
