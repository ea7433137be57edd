/*
 * Products against a plain model: any upserts, partial ones, repeats, removals, by a clock that goes on, stands still and goes
 * back, through changes of what is audited. HOTPATH_RUNS multiplies the number of runs.
 */
import fc from "fast-check";
import { beforeEach, expect, it } from "vitest";
import { HALLMARK, HOOKED, HOUR, idOf, NOON, useCatalog } from "../support/catalog";
import { checkCatalog } from "../support/catalog-checks";
import { CatalogModel, type Said } from "../support/catalog-model";
import { allKeys } from "../support/tracker";

const RUNS = 40 * Number(process.env["HOTPATH_RUNS"] ?? 1);
const STEPS = 50;
const VENDORS = [HALLMARK, HOOKED];
const SKUS = ["A", "B", "C", "a/b {x} é"];
const AUDITS = [["price", "availability"], ["price"], [], ["name", "release_year", "price"]];

const catalog = useCatalog();
beforeEach(() => catalog.server.flush());

const vendorArb = fc.constantFrom(...VENDORS);
const skuArb = fc.constantFrom(...SKUS);
const priceArb = fc.constantFrom("3.98", "3.980", "5", "5.00", "15.95", "1299.00", null);
const availabilityArb = fc.constantFrom("in_stock", "sold_out", 'odd "one" /', null);
const yearArb = fc.constantFrom(1973, 1974, 2014, null);
const contentArb = fc.record(
  { price: priceArb, availability: availabilityArb, release_year: yearArb },
  { requiredKeys: [] },
);

const stepArb = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant("upsert"),
      vendor: vendorArb,
      sku: skuArb,
      name: fc.constantFrom("n", "m"),
      content: contentArb,
      agoMs: fc.constantFrom(0, 0, 0, 1, HOUR),
      repeats: fc.constantFrom(1, 1, 2),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("remove"),
      vendor: vendorArb,
      sku: skuArb,
      agoMs: fc.constantFrom(0, 0, HOUR),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("go on"), ms: fc.constantFrom(1, 999, 1000, HOUR) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("go back"), ms: fc.constantFrom(1, HOUR, 2 * HOUR) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("audit"), fields: fc.constantFrom(...AUDITS) }) },
);
type Step = typeof stepArb extends fc.Arbitrary<infer T> ? T : never;

/** A server and its model side by side. */
class Session {
  readonly model = new CatalogModel();
  nowMs = NOON;

  async do(step: Step): Promise<void> {
    switch (step.do) {
      case "upsert": {
        for (let call = 0; call < step.repeats; call += 1)
          await this.#upsert(step.vendor, { sku: step.sku, name: step.name, ...step.content }, this.nowMs - step.agoMs);
        return;
      }
      case "remove": {
        const id = idOf(step.vendor, step.sku);
        const isThere = this.model.remove(id, this.nowMs - step.agoMs);
        const message = await catalog.refusal("remove_product", id, "NOW", this.nowMs - step.agoMs);
        expect(message?.split(" ")[0]).toBe(isThere ? undefined : "NOTFOUND");
        return;
      }
      case "audit":
        this.model.audited = step.fields;
        await catalog.call("configure_catalog", "AUDIT", "product", step.fields.join(","));
        return;
      default:
        this.nowMs += step.do === "go on" ? step.ms : -step.ms;
    }
  }

  async #upsert(vendor: string, said: Said, nowMs: number): Promise<void> {
    const id = idOf(vendor, said.sku);
    expect(await catalog.upsert(vendor, said, nowMs)).toEqual({ id, ...this.model.upsert(vendor, said, nowMs) });
    expect(await catalog.product(id)).toEqual(this.model.products.get(id));
  }

  /** Whatever was done, nothing is left of what was removed but histories, counters and the list of vendors. */
  async end(): Promise<void> {
    for (const id of [...this.model.products.keys()]) await catalog.call("remove_product", id);
    const kept = /^(H:CATALOG\.VENDOR:|H:CATALOG:|S:CATALOG\.VENDORS:|L:CATALOG\.HISTORY:|ornaments:)/;
    expect((await allKeys(catalog.client)).filter((key) => !kept.test(key))).toEqual([]);
  }
}

it("counts, lists, audit and history agree with a model, whatever comes in whatever order", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(stepArb, { minLength: 1, maxLength: STEPS, size: "max" }), async (steps) => {
      await catalog.server.flush();
      const session = new Session();
      for (const step of steps) await session.do(step);
      await checkCatalog(catalog, session.model, session.nowMs);
      await session.end();
    }),
    { numRuns: RUNS },
  );
}, 60_000);
