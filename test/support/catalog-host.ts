import { onTestFinished } from "vitest";
import { Catalog } from "../../host/catalog/catalog";
import { catalogSchema } from "../../host/catalog/config";
import { startCrew, type CrewOptions } from "../../host/catalog/crew";
import type { ProductOutcome } from "../../host/catalog/metrics";
import type { Connection } from "../../host/redis/connection";
import type { HotpathFunctions } from "../../host/contract";
import { FRONTS, openShop, type Shop, type ShopOptions } from "../../demo/catalog/shop";
import { loopbackVendor } from "../../demo/catalog/vendors";
import type { TaskReport } from "../../host/catalog/tasks";

export const VENDOR = "hallmark_ornaments_com";

/** A shop of a few dozen products, of 1974 to 1976; it closes with the test. */
export async function openTestShop(options: Partial<ShopOptions> = {}, vendor = VENDOR): Promise<Shop> {
  const front = FRONTS.find((each) => each.vendor === vendor)!;
  const shop = await openShop(front, { seed: 7, scale: 0.2, from: 1974, to: 1976, ...options });
  onTestFinished(() => shop.close());
  return shop;
}

/** The catalogue of a host that has a few shops. */
export function testCatalog(
  { connection, functions }: { connection: Connection; functions: HotpathFunctions },
  shops: readonly Shop[],
  settings: object = {},
  worker = "test",
): Catalog {
  const config = {
    ...catalogSchema.parse({ maxSleepSeconds: 0.05, patienceSeconds: 1, ...settings }),
    vendors: shops.map((shop) => loopbackVendor(shop)),
  };
  return new Catalog({ worker, connection, functions: () => functions }, config, {
    log: { debug: () => undefined },
    onRequest: () => undefined,
  });
}

export interface TestCrew {
  reports: TaskReport[];
  outcomes: Partial<Record<ProductOutcome, number>>;
  wake(): void;
  /** Ends it, and waits. */
  stop(): Promise<void>;
}

/** Hands at work until they are stopped, with the test at the latest. */
export function testCrew(catalog: Catalog, options: Partial<CrewOptions> = {}): TestCrew {
  const over = new AbortController();
  const reports: TaskReport[] = [];
  const outcomes: TestCrew["outcomes"] = {};
  const crew = startCrew(catalog, {
    vendors: catalog.vendors,
    signal: over.signal,
    onProduct: (_vendor, outcome) => void (outcomes[outcome] = (outcomes[outcome] ?? 0) + 1),
    onReport: (_vendor, report) => reports.push(report),
    ...options,
  });
  const stop = async (): Promise<void> => {
    over.abort();
    await crew.ended;
  };
  onTestFinished(async () => void (await stop().catch(() => undefined)));
  return { reports, outcomes, wake: () => crew.wake(), stop };
}
