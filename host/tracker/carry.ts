/** Devices of websites that several partitions count, brought together in each record's home; see `functions/tracker/carry.ts`. */
import type { HotpathFunctions } from "../contract";
import { ledJob } from "../jobs/lead";
import { serveSchedule, type Service } from "../jobs/service";
import { addSlices, type SliceSums } from "../jobs/slices";
import type { TrackerConfig } from "./config";
import { UnavailableError } from "../runtime/errors";
import { homeOfRecord } from "./spread";

export type CarryFunctions = Pick<HotpathFunctions, "getCarry" | "putCarry" | "endCarry">;

/** Windows of one call: up to 12 KB each. */
const COUNT = 50;

export type CarrySummary = SliceSums<{ carried: number }>;

export const NOTHING_CARRIED: CarrySummary = { carried: 0, slices: 0, finished: true };

/**
 * Brings home what rotation has merged in a partition since the last time. May be broken off anywhere, and done by several at once.
 *
 * @param from the partition
 * @param group all partitions that share its websites, by name
 * @param mayGoOn asked before each slice; false ends it
 * @returns how many windows of a record were looked at
 * @throws UnavailableError where one of them is away: what has not arrived stays on the list
 */
export async function carry(
  from: string,
  group: ReadonlyMap<string, CarryFunctions>,
  mayGoOn: () => boolean | Promise<boolean>,
): Promise<CarrySummary> {
  const own = group.get(from)!;
  const names = [...group.keys()];
  const slice = async (): Promise<{ carried: number; remaining: number }> => {
    const found = await own.getCarry({ count: COUNT });
    await Promise.all(
      found.map(async (each) => {
        const home = homeOfRecord(each[2], names);
        if (home !== from) await put(group.get(home)!, each);
      }),
    );
    const last = found.at(-1);
    if (last !== undefined) await own.endCarry({ serial: last[0] });
    return { carried: found.length, remaining: found.length === COUNT ? 1 : 0 };
  };
  return addSlices({ carried: 0 }, slice, mayGoOn);
}

/**
 * Brings devices that a partition has seen to their records' homes until the host stops: each minute, led by one of all hosts. What
 * rotation has just merged has arrived a minute later.
 *
 * @param partitions those that share their websites; one alone shares nothing
 * @param partition the one of them that is looked after
 */
export async function serveCarry(
  service: Service,
  { leaseSeconds, settleSeconds }: Pick<TrackerConfig, "leaseSeconds" | "settleSeconds">,
  partitions: readonly (string | null)[],
  partition: string | null,
): Promise<void> {
  if (partitions.length === 1 || partition === null) return;
  const { log, host } = service;
  const group = functionsByName(host, partitions);
  const name = `carry ${partition}`;
  const job = ledJob(service, {
    name,
    job: "carry",
    functions: group.get(partition)!,
    pattern: EVERY_MINUTE,
    leaseMs: leaseSeconds * 1000,
    nothing: NOTHING_CARRIED,
    work: async (mayGoOn) => {
      try {
        return await carry(partition, group, mayGoOn);
      } catch (error) {
        if (!(error instanceof UnavailableError)) throw error;
        // Any of them may be away; what is for it stays on the list.
        service.troubles.wait(name, error);
        return { ...NOTHING_CARRIED, finished: false };
      }
    },
    onEnd: ({ slot, outcome, summary, ms }) => {
      const about = { job: name, slot: new Date(slot).toISOString(), outcome };
      if (summary.carried > 0) log.info({ ...about, ...summary, ms }, "devices brought home");
      log.debug(about, "tick ended");
    },
  });
  await serveSchedule(service, "carry", [job], { settleMs: settleSeconds * 1000, retryMs: leaseSeconds * 1000 });
}

/** The functions of partitions that share their websites; these have names. */
export function functionsByName(
  host: Pick<Service["host"], "functions">,
  partitions: readonly (string | null)[],
): ReadonlyMap<string, HotpathFunctions> {
  return new Map(partitions.map((partition) => [partition!, host.functions(partition)]));
}

const EVERY_MINUTE = "* * * * *";

type Carried = Awaited<ReturnType<CarryFunctions["getCarry"]>>[number];
type Put = Parameters<CarryFunctions["putCarry"]>[0];

async function put(
  home: Pick<CarryFunctions, "putCarry">,
  [, dimension, id, tier, window, devices]: Carried,
): Promise<void> {
  if (devices === null) return;
  await home.putCarry({ dimension: dimension as Put["dimension"], id, tier: tier as Put["tier"], window, devices });
}
