/*
 * The notifier against a plain model: any scans, through the stream and directly, claims, leases that are ended late, twice,
 * never or by who has lost them, by a clock that goes on, jumps and goes back. HOTPATH_RUNS multiplies the number of runs.
 */
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { NotifierModel, type Notification, type Settings } from "../support/notifier-model";
import { HOUR, MINUTE, NOON, SECOND, useNotifier, type Claimed } from "../support/notifier";

const RUNS = 100 * Number(process.env["HOTPATH_RUNS"] ?? 1);
const STEPS = 60;
const SETTINGS: Settings = { quiet: HOUR, maxwait: 0, lease: MINUTE, attempts: 3, backoff: 30 * SECOND };

const notifier = useNotifier();
beforeEach(() => notifier.server.flush());

const subjectArb = fc.constantFrom("10", "20", "30", "s:{x} é");
const itemArb = fc.oneof(
  fc.constantFrom("A", "B", "C"),
  fc.integer({ min: 0, max: 200 }).map((at) => `P${at}`),
);
const scanArb = fc.record({ subject: subjectArb, item: itemArb });
const endArb = fc.record({
  do: fc.constantFrom("ack", "fail", "ack", "retry"),
  /** Which of all leases ever given. */
  at: fc.nat(1000),
  withToken: fc.boolean(),
  repeats: fc.integer({ min: 1, max: 2 }),
});

const stepArb = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("scan"),
      scans: fc.array(scanArb, { minLength: 1, maxLength: 4 }),
      agoMs: fc.constantFrom(0, 0, MINUTE, HOUR),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("publish"),
      scans: fc.array(fc.option(scanArb, { freq: 8 }), { minLength: 1, maxLength: 8, size: "max" }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("publish many"),
      subject: subjectArb,
      count: fc.integer({ min: 60, max: 130 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("ingest"),
      limit: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.constant(10_000)),
      repeats: fc.integer({ min: 1, max: 2 }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("claim"),
      count: fc.oneof(fc.integer({ min: 1, max: 2 }), fc.constant(10)),
    }),
  },
  { weight: 7, arbitrary: endArb },
  {
    weight: 7,
    arbitrary: fc.record({
      do: fc.constant("go on"),
      ms: fc.oneof(
        fc.integer({ min: 1, max: 2 * MINUTE }),
        fc.integer({ min: MINUTE, max: 2 * HOUR }),
        fc.constantFrom(MINUTE, HOUR, 30 * SECOND),
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("go back"), ms: fc.integer({ min: 1, max: 2 * HOUR }) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("configure"),
      quiet: fc.constantFrom(10 * MINUTE, HOUR),
      maxwait: fc.constantFrom(0, HOUR, 90 * MINUTE),
      attempts: fc.constantFrom(1, 2, 3),
    }),
  },
);
type Step = typeof stepArb extends fc.Arbitrary<infer T> ? T : never;
type StepOf<D extends string> = Extract<Step, { do: D }>;

interface Entry {
  ms: number;
  scan: { subject: string; item: string } | null;
}

/** A server and its model side by side. */
class Session {
  readonly model = new NotifierModel({ ...SETTINGS });
  nowMs = NOON;
  readonly #unread: Entry[] = [];
  readonly #leases: Claimed[] = [];
  #hasIngested = false;
  #lastId: [ms: number, sequence: number] = [0, 0];

  async start(): Promise<void> {
    await this.#configure(SETTINGS);
  }

  async #configure({ quiet, maxwait, lease, attempts, backoff }: Settings): Promise<void> {
    await notifier.call(
      "configure_topic",
      "packages",
      "QUIET",
      quiet,
      "MAXWAIT",
      maxwait,
      "LEASE",
      lease,
      "ATTEMPTS",
      attempts,
      "BACKOFF",
      backoff,
      "MAXLEN",
      0,
    );
    this.model.settings = { quiet, maxwait, lease, attempts, backoff };
  }

  async do(step: Step): Promise<void> {
    switch (step.do) {
      case "scan":
        return this.#scan(step);
      case "publish":
        return this.#publish(step.scans);
      case "publish many": {
        const { subject, count } = step;
        return this.#publish(Array.from({ length: count }, (_, at) => ({ subject, item: `P${at}` })));
      }
      case "ingest":
        return this.#ingest(step);
      case "claim":
        return this.claim(step.count);
      case "go on":
        this.nowMs += step.ms;
        return;
      case "go back":
        this.nowMs -= step.ms;
        return;
      case "configure":
        return this.#configure({ ...this.model.settings, ...step });
      default:
        return this.#end(step);
    }
  }

  async #scan({ scans, agoMs }: StepOf<"scan">): Promise<void> {
    const atMs = this.nowMs - agoMs;
    for (const { subject, item } of scans) {
      expect(await notifier.call("scan_item", "packages", subject, item, "NOW", atMs)).toBe(
        this.model.scan(subject, item, atMs),
      );
    }
  }

  /** As XADD does it: ids never go back. */
  async #publish(scans: Entry["scan"][]): Promise<void> {
    for (const scan of scans) {
      const [ms, sequence] = this.#lastId;
      this.#lastId = this.nowMs > ms ? [this.nowMs, 0] : [ms, sequence + 1];
      const fields = scan === null ? ["seller_id", ""] : ["seller_id", scan.subject, "package_id", scan.item];
      await notifier.add("packages", this.#lastId.join("-"), ...fields);
      this.#unread.push({ ms: this.#lastId[0], scan });
    }
  }

  async #ingest({ limit, repeats }: StepOf<"ingest">): Promise<void> {
    for (let call = 0; call < repeats; call += 1) {
      const taken = this.#unread.splice(0, limit);
      for (const { ms, scan } of taken)
        if (scan !== null) this.model.scan(scan.subject, scan.item, Math.min(ms, this.nowMs));
      const accepted = taken.filter(({ scan }) => scan !== null).length;
      const expected = {
        read: taken.length,
        accepted,
        rejected: taken.length - accepted,
        remaining: this.#unread.length > 0 ? 1 : 0,
      };
      expect(await notifier.record("ingest_scans", "packages", "LIMIT", limit, "NOW", this.nowMs)).toEqual(expected);
      if (taken.length > 0) this.#hasIngested = true;
    }
  }

  async claim(count: number): Promise<void> {
    const untilMs = this.#hasIngested ? Math.min(this.nowMs, this.#unread[0]?.ms ?? Infinity) : this.nowMs;
    this.model.takeBack(this.nowMs);
    this.model.seal(untilMs, count);
    const times = this.model
      .ready(this.nowMs)
      .slice(0, count)
      .map(({ atMs }) => atMs);
    const { next, claimed } = await notifier.claim("packages", "COUNT", count, "NOW", this.nowMs);
    const given: number[] = [];
    for (const each of claimed) {
      const readyMs = this.model.ready(this.nowMs).map((one) => [one, one.atMs] as const);
      const found = this.model.lease(each, this.nowMs);
      expect(found, `given out, but not ready: ${JSON.stringify(each)}`).toBeDefined();
      expect(each.attempt).toBe(found!.attempt);
      given.push(readyMs.find(([one]) => one === found)![1]);
    }
    expect(given).toEqual(times);
    expect(next).toBe(this.model.next(untilMs, this.nowMs));
    for (const { token } of claimed) expect(this.#leases.map((each) => each.token)).not.toContain(token);
    this.#leases.push(...claimed);
  }

  async #end({
    do: how,
    at,
    withToken,
    repeats,
  }: typeof endArb extends fc.Arbitrary<infer T> ? T : never): Promise<void> {
    const known = this.#leases[at % Math.max(this.#leases.length, 1)];
    if (known === undefined) return;
    for (let call = 0; call < repeats; call += 1) {
      const token = how !== "retry" && withToken ? known.token : undefined;
      const expected = this.#expectEnd(how, known.id, token);
      const message = await notifier.refusal(
        `${how}_notification`,
        "packages",
        known.id,
        ...(token === undefined ? [] : ["TOKEN", token]),
        "NOW",
        this.nowMs,
      );
      expect(message?.split(" ")[0]).toBe(expected);
    }
  }

  /** Ends a lease in the model; the code of the error if that cannot be. */
  #expectEnd(how: "ack" | "fail" | "retry", id: string, token: string | undefined): string | undefined {
    const found = this.model.notifications.find((each) => each.id === id);
    if (found === undefined) return "NOTFOUND";
    const isLeased = found.state === "leased";
    if (how === "retry" ? isLeased : token !== undefined && !(isLeased && found.token === token)) return "CONFLICT";
    if (how === "fail" && !isLeased) return "CONFLICT";
    if (how === "ack") this.model.acknowledge(found);
    else if (how === "fail") this.model.fail(found, this.nowMs);
    else this.model.retry(found, this.nowMs);
    return undefined;
  }

  /** All that is listed is what the model has. */
  async compare(): Promise<void> {
    const view = ({
      subject,
      attempt,
      at,
      first_at: first,
      last_at: last,
      count,
      items,
    }: Record<string, unknown>): string =>
      JSON.stringify([subject, attempt, at, first, last, count, (items as string[]).slice(0, 10)]);
    const ofModel = (each: Omit<Notification, "state" | "attempt"> & { attempt?: number }): string =>
      view({
        ...each,
        attempt: each.attempt ?? 0,
        at: each.atMs,
        first_at: each.firstMs,
        last_at: each.lastMs,
        count: each.items.length,
      });
    const inState = (state: Notification["state"]): string[] =>
      this.model.notifications.filter((each) => each.state === state).map(ofModel);
    const collecting = [...this.model.waiting.values()].map((each) => ofModel({ ...each, atMs: each.dueMs }));
    for (const [state, expected] of [
      ["leased", inState("leased")],
      ["dead", inState("dead")],
      ["waiting", [...inState("ready"), ...collecting]],
    ] as const) {
      const { total, listed } = await notifier.list("packages", "STATE", state);
      expect(listed.map((each) => view({ ...each })).sort(), state).toEqual([...expected].sort());
      expect(total).toBe(expected.length);
    }
    for (const { subject, items } of this.model.waiting.values())
      expect(await notifier.client.lRange(`SELLER:${subject}`, 0, -1)).toEqual(items);
  }

  /** Delivers everything; nothing is left but the settings, the cursor and the counters. */
  async finish(): Promise<void> {
    await this.#ingest({ do: "ingest", limit: 10_000, repeats: 2 });
    this.nowMs =
      Math.max(
        this.nowMs,
        ...[...this.model.waiting.values()].map(({ dueMs }) => dueMs),
        ...this.model.notifications.map(({ atMs }) => atMs),
      ) + HOUR;
    for (const dead of this.model.notifications.filter(({ state }) => state === "dead")) {
      expect(await notifier.call("retry_notification", "packages", dead.id!, "NOW", this.nowMs)).toBe(1);
      this.model.retry(dead, this.nowMs);
    }
    while (this.model.waiting.size + this.model.notifications.length > 0) {
      const before = this.model.notifications.length + this.model.waiting.size;
      await this.claim(10_000);
      for (const leased of this.model.notifications.filter(({ state }) => state === "leased")) {
        expect(await notifier.call("ack_notification", "packages", leased.id!, "TOKEN", leased.token!)).toBe(1);
        this.model.acknowledge(leased);
      }
      for (const dead of this.model.notifications.filter(({ state }) => state === "dead")) {
        await notifier.call("retry_notification", "packages", dead.id!, "NOW", this.nowMs);
        this.model.retry(dead, this.nowMs);
      }
      expect(this.model.notifications.length + this.model.waiting.size).toBeLessThan(before + 1);
    }
    const left = (await notifier.client.keys("*")).filter(
      (key) => key !== "packages" && key !== "ST:NOTIFIER.REJECTED::packages::",
    );
    expect(left.sort()).toEqual(
      ["H:NOTIFIER.TOPICS::::", ...(left.includes("H:NOTIFIER::packages::") ? ["H:NOTIFIER::packages::"] : [])].sort(),
    );
    const { delivered } = await notifier.record("get_notifier_status", "packages");
    expect(delivered).toBe(this.model.delivered.length);
  }
}

describe("any history", () => {
  it("is as the model has it, at any moment", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(stepArb, { minLength: 1, maxLength: STEPS, size: "max" }), async (steps) => {
        await notifier.server.flush();
        const session = new Session();
        await session.start();
        for (const step of steps) {
          await session.do(step);
          await session.compare();
        }
        await session.finish();
      }),
      { numRuns: RUNS },
    );
  }, 600_000);
});
