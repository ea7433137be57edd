/** A day of one website in one partition, and in four: what the busiest of four shards has to do. */
import type { Bench } from "../bench";
import { milliseconds, type Findings, type Group } from "../row";
import { makeEvents, makePages, type Event, type Page } from "../traffic";
import type { HotpathFunctions } from "../../../host/contract";
import { functionsOf } from "../../../host/deploy/client";
import { connect } from "../../../host/redis/connection";
import { DAY_MS, MINUTE_MS } from "../../../host/runtime/time";
import { carry } from "../../../host/tracker/carry";
import { rotate } from "../../../host/tracker/rotate";
import { homeOfRecord, partitionOfPage } from "../../../host/tracker/spread";

const WHOLE = "news";
const PARTS = ["news-0", "news-1", "news-2", "news-3"];
const MOST = 0.35;
const TICK_MS = 5 * MINUTE_MS;
const EVENTS_A_CALL = 100;

/** Beside what other groups count: a website that outgrows one core is busy. */
const EVENTS_FOR_ONE = 3;
const SECTIONS = 40;

/** Pages of one website, the most viewed first. */
function pagesOf(count: number): Page[] {
  return makePages(count, 1).map((page, rank) => ({
    ...page,
    url: `https://www.news.example/section-${rank % SECTIONS}/a/${1_000_000 + rank}.html`,
  }));
}

type Carried = Parameters<HotpathFunctions["putCarry"]>[0];

/** What a partition does in a day, five minutes after five minutes. */
class Shard {
  readonly #functions: HotpathFunctions;
  /** What it has for the partition at home, by tick. */
  readonly carried: Carried[][] = [];

  constructor(
    functions: HotpathFunctions,
    private readonly name: string,
  ) {
    this.#functions = functions;
  }

  /** Counts, rotates and carries; `arriving` is what comes from others. */
  async live(ticks: readonly (readonly Event[])[], startMs: number, arriving: readonly Carried[][]): Promise<void> {
    await this.#functions.configureTracker({ shared: this.name === WHOLE ? 0 : 1 });
    for (const [at, events] of ticks.entries()) {
      const now = startMs + (at + 1) * TICK_MS;
      await this.#count(events, now);
      await this.#rotate(now, { tier: "5MINUTES" });
      if (this.name !== WHOLE) await this.#carry();
      for (const each of arriving[at] ?? []) await this.#functions.putCarry({ ...each, now });
      await this.#rotate(now, {});
    }
  }

  async #count(events: readonly Event[], now: number): Promise<void> {
    for (let at = 0; at < events.length; at += EVENTS_A_CALL) {
      const some = events.slice(at, at + EVENTS_A_CALL);
      const json = some.map(({ url, device, timeMs }) => JSON.stringify({ url, uui: device, dt: timeMs }));
      await this.#functions.trackEvents({ events: json, now });
    }
  }

  async #rotate(now: number, tier: { tier?: "5MINUTES" }): Promise<void> {
    const functions = {
      rotatePg: (args?: object) => this.#functions.rotatePg({ ...args, ...tier, now }),
      rotateUd: (args?: object) => this.#functions.rotateUd({ ...args, ...tier, now }),
    };
    for (const metric of ["pg", "ud"] as const) await rotate(functions, metric, undefined, {}, () => true);
  }

  async #carry(): Promise<void> {
    const taken: Carried[] = [];
    const elsewhere = { ...this.#functions, putCarry: (each: Carried) => Promise.resolve(taken.push(each)) };
    const group = new Map(PARTS.map((name) => [name, name === this.name ? this.#functions : elsewhere]));
    await carry(this.name, group, () => true);
    this.carried.push(taken);
  }
}

async function run(bench: Bench): Promise<Findings> {
  const connection = await connect(`redis://127.0.0.1:${bench.port}`);
  try {
    const functions = (partition: string) => functionsOf(connection, { partition, once: false });
    const startMs = Math.floor(Date.now() / DAY_MS) * DAY_MS - DAY_MS;
    const count = EVENTS_FOR_ONE * bench.sizes.events;
    const pages = pagesOf(bench.sizes.pages);
    const perMinute = count / (DAY_MS / MINUTE_MS);
    const events = makeEvents(pages, { count, perMinute, devices: Math.round(count / 5), startMs });
    const ticks = (of: readonly Event[]): Event[][] => {
      const all = Array.from({ length: DAY_MS / TICK_MS }, (): Event[] => []);
      for (const each of of) all[Math.floor((each.timeMs - startMs) / TICK_MS)]!.push(each);
      return all;
    };
    const timed = async (shard: Shard, own: readonly Event[], arriving: readonly Carried[][] = []): Promise<number> => {
      const before = await bench.cpuMs();
      await shard.live(ticks(own), startMs, arriving);
      process.stderr.write(".");
      return (await bench.cpuMs()) - before;
    };
    await bench.flush();
    const whole = await timed(new Shard(functions(WHOLE), WHOLE), events);
    await bench.flush();
    const shares = PARTS.map((name) => events.filter(({ url }) => partitionOfPage(url, PARTS) === name));
    // What each has for the others, first: the same as it would be side by side, since devices that arrive are not carried on.
    const shards = PARTS.map((name) => new Shard(functions(name), name));
    const alone: number[] = [];
    for (const [at, shard] of shards.entries()) alone.push(await timed(shard, shares[at]!));
    const arrivingAt = (name: string): Carried[][] =>
      ticks([]).map((_, at) =>
        shards.flatMap(({ carried }) => (carried[at] ?? []).filter(({ id }) => homeOfRecord(id, PARTS) === name)),
      );
    await bench.flush();
    const parts: number[] = [];
    for (const [at, name] of PARTS.entries())
      parts.push(await timed(new Shard(functions(name), name), shares[at]!, arrivingAt(name)));
    process.stderr.write("\n");
    const most = Math.max(...parts) / whole;
    const arrived = shards.reduce((sum, { carried }) => sum + carried.flat().length, 0);
    return {
      rows: [
        {
          what: "a day of one website in four partitions, the busiest of them",
          against: "the same day in one partition: counting and both rotations every five minutes",
          ours: `${milliseconds(Math.max(...parts))} of server time`,
          theirs: `${milliseconds(whole)} of server time`,
          bound: { text: `≤ ${MOST} of one`, isHeld: most <= MOST },
        },
      ],
      notes: [
        `Four partitions: ${count.toLocaleString("en-US")} events, ${pages.length.toLocaleString("en-US")} pages; shares of the one ` +
          `partition's time: ${parts.map((ms) => (ms / whole).toFixed(2)).join(", ")} (${alone.map((ms) => (ms / whole).toFixed(2)).join(", ")} without what others have seen); ` +
          `${arrived.toLocaleString("en-US")} HyperLogLogs brought to their records' homes.`,
      ],
    };
  } finally {
    connection.close();
  }
}

export const websiteInFour: Group = { name: "shards", run };
