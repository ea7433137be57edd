/** Devices of websites that several partitions count, brought together in the one at home; see `functions/tracker/carry.ts`. */
import type { HotpathFunctions } from "../contract";
import { ledJob } from "../jobs/lead";
import { serveSchedule, type Service } from "../jobs/service";
import { addSlices, type SliceSums } from "../jobs/slices";
import type { TrackerConfig } from "./config";

export type AwayFunctions = Pick<HotpathFunctions, "getCarry" | "endCarry">;
export type HomeFunctions = Pick<HotpathFunctions, "putCarry">;

/** Windows of one call: up to 12 KB each. */
const COUNT = 50;

export type CarrySummary = SliceSums<{ carried: number }>;

export const NOTHING_CARRIED: CarrySummary = { carried: 0, slices: 0, finished: true };

/**
 * Brings home what rotation has merged in a partition since the last time. May be broken off anywhere, and done by several at once.
 *
 * @param mayGoOn asked before each slice; false ends it
 * @returns how many windows of a record were brought home
 * @throws UnavailableError where one of the two is away: what has not arrived stays on the list
 */
export async function carry(
  away: AwayFunctions,
  home: HomeFunctions,
  mayGoOn: () => boolean | Promise<boolean>,
): Promise<CarrySummary> {
  const slice = async (): Promise<{ carried: number; remaining: number }> => {
    const found = await away.getCarry({ count: COUNT });
    await Promise.all(found.map((each) => put(home, each)));
    const last = found.at(-1);
    if (last !== undefined) await away.endCarry({ serial: last[0] });
    return { carried: found.length, remaining: found.length === COUNT ? 1 : 0 };
  };
  return addSlices({ carried: 0 }, slice, mayGoOn);
}

/**
 * Brings home what other partitions have seen until the host stops: each minute, led by one of all hosts. What rotation has just merged
 * has arrived a minute later.
 *
 * @param group partitions of the same websites, the one at home first
 */
export async function serveCarry(
  service: Service,
  { leaseSeconds, settleSeconds }: Pick<TrackerConfig, "leaseSeconds" | "settleSeconds">,
  [home, ...away]: readonly (string | null)[],
): Promise<void> {
  if (home === undefined || away.length === 0) return;
  const { log, host } = service;
  const jobs = away.map((partition) => {
    const functions = host.functions(partition);
    const name = `carry ${partition}`;
    return ledJob(service, {
      name,
      job: "carry",
      functions,
      pattern: EVERY_MINUTE,
      leaseMs: leaseSeconds * 1000,
      nothing: NOTHING_CARRIED,
      work: (mayGoOn) => carry(functions, host.functions(home), mayGoOn),
      onEnd: ({ slot, outcome, summary, ms }) => {
        const about = { job: name, slot: new Date(slot).toISOString(), outcome };
        if (summary.carried > 0) log.info({ ...about, ...summary, ms }, "devices brought home");
        log.debug(about, "tick ended");
      },
    });
  });
  await serveSchedule(service, "carry", jobs, { settleMs: settleSeconds * 1000, retryMs: leaseSeconds * 1000 });
}

const EVERY_MINUTE = "* * * * *";

type Carried = Awaited<ReturnType<AwayFunctions["getCarry"]>>[number];
type Put = Parameters<HomeFunctions["putCarry"]>[0];

async function put(home: HomeFunctions, [, dimension, id, tier, window, devices]: Carried): Promise<void> {
  if (devices === null) return;
  await home.putCarry({ dimension: dimension as Put["dimension"], id, tier: tier as Put["tier"], window, devices });
}
