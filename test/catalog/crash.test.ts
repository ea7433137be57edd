/*
 * kill -9 of the server in the middle of a sync: what is there is what a whole number of calls has made, everything about it agrees,
 * and the same sync once more brings it to its end. HOTPATH_RUNS multiplies the number of runs.
 */
import fc from "fast-check";
import { createClient } from "@redis/client";
import { expect, it } from "vitest";
import { HALLMARK, HOOKED, HOUR, idOf, NOON, useCatalog } from "../support/catalog";
import { checkCatalog } from "../support/catalog-checks";
import { CatalogModel, type Said } from "../support/catalog-model";
import { describeWithOwnServer } from "../support/server";

const RUNS = 4 * Number(process.env["HOTPATH_RUNS"] ?? 1);

/** One call: an upsert, or a removal where nothing is said. */
interface Call {
  vendor: string;
  sku: string;
  said: Omit<Said, "sku"> | undefined;
  nowMs: number;
}

/** Upserts of some products over and over, with prices that change; now and then one is removed. */
const callsArb = fc.array(
  fc.record({
    vendor: fc.constantFrom(HALLMARK, HOOKED),
    sku: fc.constantFrom("A", "B", "C", "D", "E"),
    said: fc.option(
      fc.record({
        name: fc.constant("n"),
        price: fc.constantFrom("5", "6", "7"),
        release_year: fc.constantFrom(1973, 2014),
        availability: fc.constantFrom("in_stock", "sold_out"),
      }),
      { freq: 10, nil: undefined },
    ),
  }),
  { minLength: 100, maxLength: 300, size: "max" },
);

describeWithOwnServer("after kill -9", () => {
  const catalog = useCatalog({ persistence: true });

  const argsOf = ({ vendor, sku, said, nowMs }: Call): string[] => {
    const args =
      said === undefined
        ? ["remove_product", "0", idOf(vendor, sku)]
        : ["upsert_product", "0", vendor, JSON.stringify({ sku, ...said })];
    return ["FCALL", ...args, "NOW", String(nowMs)];
  };

  function apply(model: CatalogModel, { vendor, sku, said, nowMs }: Call): void {
    if (said === undefined) model.remove(idOf(vendor, sku), nowMs);
    else model.upsert(vendor, { sku, ...said }, nowMs);
  }

  /** Sends all calls at once, in order, and kills the server after some answers; how many came. */
  async function burst(calls: Call[], killAfter: number): Promise<number> {
    const client = createClient({ url: catalog.server.url, RESP: 2, socket: { reconnectStrategy: false } });
    client.on("error", () => undefined);
    await client.connect();
    let answered = 0;
    let killed: Promise<void> | undefined;
    const count = (): void => void ((answered += 1) >= killAfter && (killed ??= catalog.server.kill("SIGKILL")));
    // A removal of what is not there is answered too.
    await Promise.allSettled(
      calls.map((each) =>
        client.sendCommand(argsOf(each)).then(count, (error: Error) => error.message.startsWith("NOTFOUND") && count()),
      ),
    );
    await (killed ??= catalog.server.kill("SIGKILL"));
    await catalog.server.restart({ signal: "SIGKILL" });
    return answered;
  }

  /** Calls that left something behind: each has counted one outcome. */
  async function counted(): Promise<number> {
    const statuses = await Promise.all([HALLMARK, HOOKED].map((vendor) => catalog.status(vendor)));
    return statuses
      .flatMap((status) =>
        ["created", "changed", "unchanged", "outdated", "removed"].map((outcome) => Number(status[outcome])),
      )
      .reduce((a, b) => a + b, 0);
  }

  /** The model after the calls that the server had made when it died. */
  function modelOf(calls: Call[], answered: number, total: number): CatalogModel {
    const model = new CatalogModel();
    let made = 0;
    const size = (): number => [...model.outcomes.values()].reduce((a, b) => a + b, 0);
    while (made < calls.length && (made < answered || size() < total)) apply(model, calls[made++]!);
    expect(size(), "calls that were answered are there, and no part of another").toBe(total);
    return model;
  }

  it("what is there agrees with itself, and the same sync once more ends as if nothing had happened", async () => {
    await fc.assert(
      fc.asyncProperty(callsArb, fc.nat(200), async (said, killAfter) => {
        await catalog.server.flush();
        const calls = said.map((each, at): Call => ({ ...each, nowMs: NOON + at }));
        const answered = await burst(calls, killAfter);
        const model = modelOf(calls, answered, await counted());
        await checkCatalog(catalog, model, NOON + HOUR);
        for (const each of calls) {
          const again = { ...each, nowMs: each.nowMs + HOUR };
          apply(model, again);
          await catalog.client
            .sendCommand(argsOf(again))
            .catch((error: Error) => expect(error.message).toMatch(/^NOTFOUND /));
        }
        await checkCatalog(catalog, model, NOON + HOUR);
      }),
      { numRuns: RUNS },
    );
  }, 120_000);
});
