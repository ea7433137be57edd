/*
 * Tasks against a plain model: any tasks, with parents, hooks and priorities, claimed, extended, finished, failed, cancelled and retried
 * late, twice or by who has lost them, by a clock that goes on, jumps and goes back. HOTPATH_RUNS multiplies the number of runs.
 */
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { Refusal, STATES, TasksModel, type TypeSettings } from "../support/tasks-model";
import { useTasks } from "../support/tasks";
import { DAY, HOUR, MINUTE, NOON } from "../support/tracker";

const RUNS = 60 * Number(process.env["HOTPATH_RUNS"] ?? 1);
const STEPS = 80;
const SECOND = 1000;
const QUEUES = ["q", "other"];
const TYPES = ["plain", "job", "pre.a", "pre.b", "post.a"];
const DEFAULTS: TypeSettings = { pre: [], post: [], attempts: 3, backoff: 30 * SECOND, lease: MINUTE, keep: DAY };

/** What is in the database before the first serial number is given: later than now, so that the next one is one more. */
const FIRST_SERIAL = 8_000_000_000_000_000;
const SERIALS = "H:TASKS::::";

const tasks = useTasks();
beforeEach(() => tasks.server.flush());

const queueArb = fc.constantFrom("q", "q", "q", "other");
const pickArb = fc.nat(1000);
const tokenArb = fc.constantFrom("own", "own", "none", "old");
const leaseArb = fc.option(fc.constantFrom(1, 10 * SECOND, 5 * MINUTE), { freq: 2, nil: undefined });

const stepArb = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant("enqueue"),
      queue: queueArb,
      type: fc.constantFrom(...TYPES, "job", "job", "plain", "nobody's"),
      id: fc.option(fc.constantFrom("a", "b", "c", "d"), { freq: 2, nil: undefined }),
      priority: fc.constantFrom(0, 4, 5, 5, 9),
      delay: fc.constantFrom(0, 0, 0, SECOND, 2 * MINUTE),
      parent: fc.option(pickArb, { freq: 2, nil: undefined }),
      unless: fc.constantFrom("alive", "alive", "known"),
    }),
  },
  {
    weight: 16,
    arbitrary: fc.record({
      do: fc.constant("claim"),
      queue: queueArb,
      worker: fc.constantFrom("w1", "w2"),
      lease: leaseArb,
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant("finish"),
      pick: pickArb,
      token: tokenArb,
      result: fc.boolean(),
      repeats: fc.integer({ min: 1, max: 2 }),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("fail"), pick: pickArb, token: tokenArb }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("extend"), pick: pickArb, token: tokenArb, lease: leaseArb }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("cancel"),
      pick: pickArb,
      token: fc.constantFrom("none", "none", "own", "old"),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("retry"), pick: pickArb }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("go on"),
      ms: fc.constantFrom(1, SECOND, 30 * SECOND, MINUTE, MINUTE, HOUR, DAY),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("go back"), ms: fc.constantFrom(SECOND, MINUTE, HOUR) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("define"),
      type: fc.constantFrom(...TYPES, "job", "job"),
      pre: fc.constantFrom<string[][]>([], ["pre.a"], ["pre.a", "pre.b"]),
      post: fc.constantFrom<string[][]>([], ["post.a"], ["post.a", "pre.b"]),
      attempts: fc.constantFrom(1, 2, 3),
      keep: fc.constantFrom(0, MINUTE, DAY, DAY),
    }),
  },
);
type Step = typeof stepArb extends fc.Arbitrary<infer T> ? T : never;
type StepOf<D extends string> = Extract<Step, { do: D }>;
type Ending = StepOf<"finish" | "fail" | "extend" | "cancel" | "retry">;

const optional = (name: string, value: string | number | undefined): (string | number)[] =>
  value === undefined ? [] : [name, value];

/** A server and its model side by side. */
class Session {
  readonly model = new TasksModel(FIRST_SERIAL);
  nowMs = NOON;
  /** Every lease ever given, and every id ever answered. */
  readonly #leases: { id: string; token: string }[] = [];
  readonly #ids: string[] = [];

  async start(): Promise<void> {
    await tasks.client.hSet(SERIALS, "serial", FIRST_SERIAL);
    for (const type of TYPES) await this.#define({ do: "define", type, pre: [], post: [], attempts: 3, keep: DAY });
  }

  async do(step: Step): Promise<void> {
    switch (step.do) {
      case "enqueue":
        return this.#enqueue(step);
      case "claim":
        return this.#claim(step);
      case "go on":
        this.nowMs += step.ms;
        return;
      case "go back":
        this.nowMs -= step.ms;
        return;
      case "define":
        return this.#define(step);
      default:
        return this.#end(step);
    }
  }

  async #define({ type, pre, post, attempts, keep }: StepOf<"define">): Promise<void> {
    const given = ["PRE", pre.join(), "POST", post.join(), "ATTEMPTS", attempts, "KEEP", keep];
    expect(await tasks.call("define_task", type, ...given)).toBe(1);
    this.model.types.set(type, { ...DEFAULTS, pre, post, attempts, keep });
  }

  /** What the model answers and the server answers, or the codes with which both refuse. */
  async #both(expected: () => string | number, name: string, ...args: (string | number)[]): Promise<string | number> {
    let answer: string | number;
    try {
      answer = expected();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      answer = error.message;
    }
    const found = await tasks
      .call(name, ...args, "NOW", this.nowMs)
      .catch((error: Error) => error.message.split(" ")[0]);
    expect(found, `${name} ${args.join(" ")}`).toBe(answer);
    return answer;
  }

  async #enqueue({ queue, type, id, priority, delay, parent: pick, unless }: StepOf<"enqueue">): Promise<void> {
    const parent = pick === undefined ? undefined : (this.#ids[pick % this.#ids.length] ?? "nobody");
    const payload = { type, n: this.#ids.length };
    const args = [
      queue,
      JSON.stringify(payload),
      "PRIORITY",
      priority,
      "DELAY",
      delay,
      "UNLESS",
      unless,
      ...optional("ID", id),
      ...optional("PARENT", parent),
    ];
    const task = {
      queue,
      type,
      payload,
      priority,
      delay,
      unless: unless as "alive",
      ...(id !== undefined && { id }),
      ...(parent !== undefined && { parent }),
    };
    const answer = await this.#both(() => this.model.enqueue(task, this.nowMs), "enqueue_task", ...args);
    if (this.model.tasks.has(String(answer))) this.#ids.push(String(answer));
  }

  async #claim({ queue, worker, lease }: StepOf<"claim">): Promise<void> {
    const expected = this.model.next(queue, this.nowMs);
    const claimed = await tasks.claim(queue, "WORKER", worker, ...optional("LEASE", lease), "NOW", this.nowMs);
    expect(claimed?.id).toBe(expected?.id);
    if (claimed === null || expected === undefined) return;
    this.model.lease(expected, claimed, worker, lease, this.nowMs);
    const { id, type, attempt, priority, enqueuedMs, payload, parent } = expected;
    const { token } = claimed;
    expect(this.#leases.map((each) => each.token)).not.toContain(token);
    this.#leases.push({ id, token });
    this.#ids.push(id);
    const ofParent = parent && { parent: parent.id };
    expect(claimed).toEqual({
      id,
      token,
      type,
      attempt,
      queue,
      priority,
      ...ofParent,
      enqueued_at: enqueuedMs,
      lease_until: expected.atMs,
      payload,
    });
  }

  /** Mostly one of the last leases; without one, a dead task or any. */
  #target(step: Ending): { id: string; token: string | undefined } {
    const leases = this.#leases.slice(-6);
    const lease = leases[step.pick % Math.max(leases.length, 1)];
    if (step.do === "retry" || lease === undefined || (step.do === "cancel" && step.token === "none")) {
      const dead = QUEUES.flatMap((queue) => this.model.in(queue, "dead").map((each) => each.id));
      const ids = step.pick % 2 === 0 && dead.length > 0 ? dead : this.#ids;
      return { id: ids[step.pick % Math.max(ids.length, 1)] ?? "nobody", token: undefined };
    }
    return { id: lease.id, token: step.token === "none" ? undefined : step.token === "own" ? lease.token : "1-1" };
  }

  async #end(step: Ending): Promise<void> {
    const { model, nowMs } = this;
    const { id, token } = this.#target(step);
    const given = optional("TOKEN", token);
    const done = (what: () => void) => (): number => (what(), 1);
    switch (step.do) {
      case "finish": {
        const result = step.result ? { of: id } : undefined;
        for (let call = 0; call < step.repeats; call += 1) {
          await this.#both(
            done(() => model.finish(id, token, result, nowMs)),
            "finish_task",
            id,
            ...given,
            ...optional("RESULT", result && JSON.stringify(result)),
          );
        }
        return;
      }
      case "fail":
        return void (await this.#both(
          done(() => model.fail(id, token, "no luck", nowMs)),
          "fail_task",
          id,
          ...given,
          "REASON",
          "no luck",
        ));
      case "extend":
        return void (await this.#both(
          done(() => model.extend(id, token, step.lease, nowMs)),
          "extend_task",
          id,
          ...given,
          ...optional("LEASE", step.lease),
        ));
      case "cancel":
        return void (await this.#both(
          done(() => model.cancel(id, token, nowMs)),
          "cancel_task",
          id,
          ...given,
        ));
      default:
        return void (await this.#both(
          done(() => model.retry(id, nowMs)),
          "retry_task",
          id,
        ));
    }
  }

  /** Everything that is listed is what the model has, and nothing else is kept. */
  async compare(): Promise<void> {
    const byId = (a: { id: string }, b: { id: string }): number => (a.id < b.id ? -1 : 1);
    for (const queue of QUEUES) {
      const lists = await Promise.all(STATES.map((state) => tasks.list(queue, "STATE", state, "COUNT", 1000)));
      for (const [at, state] of STATES.entries()) {
        const expected = this.model.in(queue, state).map((each) => this.model.show(each));
        expect(lists[at]!.total, `${queue} ${state}`).toBe(expected.length);
        expect(lists[at]!.listed.sort(byId), `${queue} ${state}`).toEqual(expected.sort(byId));
      }
    }
    expect((await tasks.client.keys("H:TASK::*")).length).toBe(this.model.tasks.size);
  }
}

describe("any tasks and any workers", () => {
  it("are as the model has them, at any moment", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(stepArb, { minLength: 1, maxLength: STEPS, size: "max" }), async (steps) => {
        await tasks.server.flush();
        const session = new Session();
        await session.start();
        for (const [at, step] of steps.entries()) {
          await session.do(step);
          if (at % 5 === 4) await session.compare();
        }
        await session.compare();
      }),
      { numRuns: RUNS },
    );
  }, 600_000);
});
