/* What tasks promise: who goes out when, what a lease means, what ends a task and what follows. */
import { beforeEach, describe, expect, it } from "vitest";
import { readTasksManifest, useTasks, type ClaimedTask, type ShownTask } from "../support/tasks";
import { DAY, digest, HOUR, MINUTE, NOON } from "../support/tracker";

const tasks = useTasks();
const SECOND = 1000;

beforeEach(async () => {
  await tasks.server.flush();
  await tasks.call("define_task", "job");
});

const at = (ms: number): ["NOW", number] => ["NOW", NOON + ms];
const job = { type: "job" };

/** Claims at a time; fails if nothing may go out. */
async function claim(queue: string, ms: number, ...args: (string | number)[]): Promise<ClaimedTask> {
  const claimed = await tasks.claim(queue, ...args, ...at(ms));
  expect(claimed, `a claim at ${ms}`).not.toBeNull();
  return claimed!;
}

const finish = (id: string, ms: number, ...args: (string | number)[]): Promise<unknown> =>
  tasks.call("finish_task", id, ...args, ...at(ms));

async function shown(id: string): Promise<ShownTask> {
  const task = await tasks.get(id);
  expect(task, `task ${id}`).not.toBeNull();
  return task!;
}

async function status(queue: string, ms: number): Promise<Record<string, unknown>> {
  return tasks.record("get_queue_status", queue, ...at(ms));
}

/** What waits in a queue, in the order in which it goes out. */
async function drain(queue: string, ms: number): Promise<string[]> {
  const ids: string[] = [];
  for (
    let claimed = await tasks.claim(queue, ...at(ms));
    claimed !== null;
    claimed = await tasks.claim(queue, ...at(ms))
  ) {
    ids.push(claimed.id);
    await finish(claimed.id, ms, "TOKEN", claimed.token);
  }
  return ids;
}

describe("enqueue_task", () => {
  it("answers an id that it makes, or the one given", async () => {
    const made = await tasks.enqueue("q", job);
    const next = await tasks.enqueue("q", job);
    expect(made).toMatch(/^\d+$/);
    expect(Number(next)).toBeGreaterThan(Number(made));
    expect(await tasks.enqueue("q", job, "ID", "sync/2014-06#1")).toBe("sync/2014-06#1");
    expect(await tasks.read("list_queues")).toEqual(["q"]);
  });

  it("gives the payload back as it came, digits and spaces included", async () => {
    const text = '{ "type" : "job", "n": 9007199254740993, "list": [], "s": "a\\"/é\\n" }';
    await tasks.call("enqueue_task", "q", text, "ID", "a");
    const json = (await tasks.call("claim_task", "q")) as string;
    expect(json).toContain(`"payload":${text}}`);
    expect((await tasks.read("get_task", "a")) as string).toContain(`"payload":${text}}`);
    expect(JSON.parse(json)).toMatchObject({ id: "a", type: "job", attempt: 1, queue: "q", priority: 5 });
  });

  it.each([
    ["no JSON", "{type", /^BADARG task must be a JSON object with a type, got '\{type'/],
    ["no type", '{"a":1}', /^BADARG task must have a type/],
    ["a type that is no text", '{"type":5}', /^BADARG task must have a type/],
    [
      "a type that nobody has defined",
      '{"type":"nobody"}',
      /^NOTFOUND there is no task type 'nobody'; define_task makes one/,
    ],
    ["what only looks like JSON: nan", '{"type":"job","x":nan}', /^BADARG task must be/],
    ["what only looks like JSON: 0x10", '{"type":"job","x":[0x10]}', /^BADARG task must be/],
    ["what only looks like JSON: 007", '{"type":"job","x":007}', /^BADARG task must be/],
  ])("refuses %s", async (_, task, message) => {
    const before = await digest(tasks.client);
    expect(await tasks.refusal("enqueue_task", "q", task)).toMatch(message);
    expect(await digest(tasks.client)).toEqual(before);
  });

  it.each(["-0.5e-7", "0", "10", "1.25", "1E+5", '"nan 0x10 007 \\\\"', "[true,false,null]"])(
    "takes %s",
    async (value) => {
      await tasks.call("enqueue_task", "q", `{"type":"job","x":${value}}`, "ID", "a");
      expect((await tasks.claim("q"))!.payload).toEqual({ type: "job", x: JSON.parse(value) as unknown });
    },
  );

  it.each(["a:b", "a b", "{a}", "a!", 'a"b', "é", "a\nb"])("refuses the id and the queue '%s'", async (name) => {
    expect(await tasks.refusal("enqueue_task", "q", JSON.stringify(job), "ID", name)).toMatch(
      /^BADARG ID must be made of/,
    );
    for (const [call, ...args] of [
      ["enqueue_task", JSON.stringify(job)],
      ["claim_task"],
      ["list_tasks"],
      ["get_queue_status"],
    ] as const) {
      expect(await tasks.refusal(call, name, ...args)).toMatch(/^BADARG queue must be made of/);
    }
  });

  it("lower priorities go first, then who waits longest, and no delayed one stands in the way", async () => {
    await tasks.enqueue("q", job, "ID", "late", "PRIORITY", 5, ...at(2));
    await tasks.enqueue("q", job, "ID", "early", "PRIORITY", 5, ...at(1));
    await tasks.enqueue("q", job, "ID", "last", "PRIORITY", 9, ...at(0));
    await tasks
      .enqueue("q", job, "ID", "urgent, later", "PRIORITY", 0, "DELAY", MINUTE, ...at(0))
      .catch(() => undefined);
    await tasks.enqueue("q", job, "ID", "urgent-later", "PRIORITY", 0, "DELAY", MINUTE, ...at(0));
    await tasks.enqueue("q", job, "ID", "urgent", "PRIORITY", 1, ...at(3));
    expect(await drain("q", 10)).toEqual(["urgent", "early", "late", "last"]);
    expect(await drain("q", MINUTE - 1)).toEqual([]);
    expect(await drain("q", MINUTE)).toEqual(["urgent-later"]);
  });

  it("all ten priorities, in order", async () => {
    for (const priority of [7, 0, 9, 3, 1, 8, 2, 6, 4, 5])
      await tasks.enqueue("q", job, "ID", `p${priority}`, "PRIORITY", priority);
    expect(await drain("q", 100 * 365 * DAY)).toEqual(Array.from({ length: 10 }, (_, priority) => `p${priority}`));
  });

  it("a time at the end of all times stays in its priority", async () => {
    const end = 99_999_999_999_999;
    await tasks.call("enqueue_task", "q", JSON.stringify(job), "ID", "a", "PRIORITY", 3, "DELAY", DAY, "NOW", end);
    await tasks.call("enqueue_task", "q", JSON.stringify(job), "ID", "b", "PRIORITY", 4, "NOW", end - 1);
    expect((await tasks.claim("q", "NOW", end - 1))!.id).toBe("b");
    expect(await tasks.claim("q", "NOW", end)).toMatchObject({ id: "a", priority: 3 });
  });

  it("the same id again changes nothing while the task is alive, in any queue", async () => {
    await tasks.enqueue("q", { ...job, n: 1 }, "ID", "a", ...at(0));
    const before = await digest(tasks.client);
    expect(await tasks.enqueue("q", { ...job, n: 2 }, "ID", "a", "PRIORITY", 0, ...at(5))).toBe("a");
    expect(await tasks.enqueue("other", { ...job, n: 2 }, "ID", "a", ...at(5))).toBe("a");
    expect(await digest(tasks.client)).toEqual(before);
    await claim("q", 5);
    expect(await tasks.enqueue("q", { ...job, n: 3 }, "ID", "a", ...at(6))).toBe("a");
    expect(await shown("a")).toMatchObject({ state: "leased", payload: { n: 1 } });
  });

  it("the same id begins anew once the task has ended, unless UNLESS is known", async () => {
    await tasks.enqueue("q", job, "ID", "a", ...at(0));
    await finish((await claim("q", 0)).id, 1);
    expect(await tasks.enqueue("q", job, "ID", "a", "UNLESS", "known", ...at(2))).toBe("a");
    expect(await shown("a")).toMatchObject({ state: "finished" });
    expect(await tasks.enqueue("other", job, "ID", "a", ...at(2))).toBe("a");
    expect(await shown("a")).toMatchObject({ state: "waiting", queue: "other", attempt: 0 });
    expect(await tasks.list("q", "STATE", "finished")).toEqual({ total: 0, listed: [] });
  });
});

describe("a lease", () => {
  it("lasts as long as its type says, or the claim", async () => {
    await tasks.call("define_task", "job", "LEASE", 5 * SECOND);
    await tasks.enqueue("q", job, ...at(0));
    expect((await claim("q", 0)).lease_until).toBe(NOON + 5 * SECOND);
    expect(await tasks.claim("q", ...at(5 * SECOND - 1))).toBeNull();
    expect(await claim("q", 5 * SECOND, "LEASE", MINUTE)).toMatchObject({
      attempt: 2,
      lease_until: NOON + 5 * SECOND + MINUTE,
    });
  });

  it("extend_task makes it longer, never shorter", async () => {
    await tasks.enqueue("q", job, ...at(0));
    const { id, token } = await claim("q", 0);
    expect(await tasks.call("extend_task", id, "TOKEN", token, "LEASE", 10, ...at(0))).toBe(1);
    expect(await shown(id)).toMatchObject({ at: NOON + MINUTE });
    expect(await tasks.call("extend_task", id, "TOKEN", token, ...at(30 * SECOND))).toBe(1);
    expect(await shown(id)).toMatchObject({ at: NOON + 90 * SECOND });
    expect(await tasks.claim("q", ...at(MINUTE))).toBeNull();
  });

  it("that was lost ends nobody else's", async () => {
    await tasks.enqueue("q", job, "ID", "a", ...at(0));
    const lost = await claim("q", 0);
    const present = await claim("q", MINUTE, "WORKER", "other");
    expect(await shown("a")).toMatchObject({
      state: "leased",
      worker: "other",
      reason: "the lease of worker ended",
      attempt: 2,
    });
    for (const name of ["finish_task", "fail_task", "extend_task", "cancel_task"]) {
      expect(await tasks.refusal(name, "a", "TOKEN", lost.token)).toMatch(
        /^CONFLICT task 'a' is leased under another token than '/,
      );
    }
    expect(await finish("a", MINUTE, "TOKEN", present.token)).toBe(1);
    for (const name of ["fail_task", "extend_task", "cancel_task"]) {
      expect(await tasks.refusal(name, "a", "TOKEN", present.token)).toMatch(
        /^CONFLICT task 'a' is not leased, it is finished/,
      );
    }
    expect(await finish("a", MINUTE + 1, "TOKEN", present.token), "a repeat").toBe(1);
    expect(await tasks.refusal("finish_task", "a", "TOKEN", lost.token)).toMatch(/^CONFLICT/);
    expect(await tasks.refusal("finish_task", "a")).toMatch(/^CONFLICT task 'a' is not leased, it is finished/);
    expect(await shown("a")).toMatchObject({ at: NOON + MINUTE });
  });

  it("of a task that is not there is NOTFOUND", async () => {
    for (const name of ["finish_task", "fail_task", "extend_task", "cancel_task", "retry_task"]) {
      expect(await tasks.refusal(name, "nobody")).toMatch(/^NOTFOUND there is no task 'nobody'/);
    }
    expect(await tasks.get("nobody")).toBeNull();
  });

  it("whose worker dies each time leads to the dead", async () => {
    await tasks.enqueue("q", job, "ID", "a", ...at(0));
    for (const attempt of [1, 2, 3]) expect(await claim("q", attempt * HOUR)).toMatchObject({ attempt });
    expect(await tasks.claim("q", ...at(4 * HOUR))).toBeNull();
    expect(await shown("a")).toMatchObject({ state: "dead", attempt: 3, at: NOON + 4 * HOUR });
  });
});

describe("fail_task", () => {
  it("waits twice as long each time, an hour at most, and then the task is dead", async () => {
    await tasks.call("define_task", "job", "ATTEMPTS", 4, "BACKOFF", 20 * MINUTE);
    await tasks.enqueue("q", job, "ID", "a", "PRIORITY", 2, ...at(0));
    let ms = 0;
    for (const wait of [20 * MINUTE, 40 * MINUTE, HOUR]) {
      const { token } = await claim("q", ms);
      expect(await tasks.call("fail_task", "a", "TOKEN", token, "REASON", 'no "luck"\n', ...at(ms))).toBe(1);
      expect(await shown("a")).toMatchObject({
        state: "waiting",
        at: NOON + ms + wait,
        reason: 'no "luck"\n',
        priority: 2,
      });
      expect(await tasks.claim("q", ...at(ms + wait - 1))).toBeNull();
      ms += wait;
    }
    await claim("q", ms);
    await tasks.call("fail_task", "a", ...at(ms));
    expect(await shown("a")).toMatchObject({ state: "dead", reason: "failed", at: NOON + ms });
    expect(await tasks.list("q", "STATE", "dead")).toMatchObject({ total: 1, listed: [{ id: "a" }] });
    expect(await tasks.refusal("fail_task", "a")).toMatch(/^CONFLICT task 'a' is not leased, it is dead/);
  });

  it("retry_task begins anew: of a dead one, and of one that waits", async () => {
    await tasks.call("define_task", "job", "ATTEMPTS", 2, "BACKOFF", HOUR);
    await tasks.enqueue("q", job, "ID", "a", "PRIORITY", 7, ...at(0));
    await claim("q", 0);
    await tasks.call("fail_task", "a", ...at(0));
    expect(await tasks.call("retry_task", "a", ...at(1))).toBe(1);
    expect(await claim("q", 1)).toMatchObject({ attempt: 1, priority: 7 });
    expect(await tasks.refusal("retry_task", "a")).toMatch(/^CONFLICT task 'a' is leased, neither dead nor waiting/);
    await tasks.call("fail_task", "a", ...at(1));
    await claim("q", HOUR + 1);
    await tasks.call("fail_task", "a", ...at(HOUR + 1));
    expect(await shown("a")).toMatchObject({ state: "dead" });
    expect(await tasks.call("retry_task", "a", ...at(2 * HOUR))).toBe(1);
    expect(await shown("a")).toMatchObject({ state: "waiting", attempt: 0, at: NOON + 2 * HOUR, priority: 7 });
    await finish((await claim("q", 2 * HOUR)).id, 2 * HOUR);
    expect(await tasks.refusal("retry_task", "a")).toMatch(/^CONFLICT task 'a' is finished/);
  });
});

describe("cancel_task", () => {
  it("takes a task out of the queue; again changes nothing", async () => {
    await tasks.enqueue("q", job, "ID", "a", ...at(0));
    expect(await tasks.call("cancel_task", "a", ...at(1))).toBe(1);
    const before = await digest(tasks.client);
    expect(await tasks.call("cancel_task", "a", ...at(2))).toBe(1);
    expect(await digest(tasks.client)).toEqual(before);
    expect(await shown("a")).toMatchObject({ state: "cancelled", at: NOON + 1 });
    expect(await tasks.claim("q", ...at(2))).toBeNull();
    expect(await tasks.refusal("retry_task", "a")).toMatch(/^CONFLICT task 'a' is cancelled/);
  });

  it("a worker that has it finds out", async () => {
    await tasks.enqueue("q", job, "ID", "a", ...at(0));
    const { token } = await claim("q", 0);
    expect(await tasks.call("cancel_task", "a", "TOKEN", token, ...at(1))).toBe(1);
    expect(await tasks.call("cancel_task", "a", "TOKEN", token, ...at(1)), "a repeat").toBe(1);
    expect(await tasks.refusal("extend_task", "a", "TOKEN", token)).toMatch(
      /^CONFLICT task 'a' is not leased, it is cancelled/,
    );
    expect(await tasks.refusal("finish_task", "a", "TOKEN", token)).toMatch(/^CONFLICT/);
    expect(await tasks.claim("q", ...at(HOUR))).toBeNull();
  });

  it("of a finished one is a conflict, of a dead one its end", async () => {
    await tasks.call("define_task", "job", "ATTEMPTS", 1);
    await tasks.enqueue("q", job, "ID", "a", ...at(0));
    await tasks.enqueue("q", job, "ID", "b", ...at(1));
    await finish((await claim("q", 1)).id, 1);
    expect(await tasks.refusal("cancel_task", "a")).toMatch(/^CONFLICT task 'a' has finished/);
    await claim("q", 1);
    await tasks.call("fail_task", "b", ...at(1));
    expect(await tasks.call("cancel_task", "b", ...at(2))).toBe(1);
    expect(await status("q", 3)).toMatchObject({
      dead: 0,
      cancelled: 1,
      total_dead: 1,
      total_cancelled: 1,
      total_finished: 1,
    });
  });
});

describe("parents and children", () => {
  beforeEach(async () => {
    await tasks.call("define_task", "parent");
    await tasks.call("define_task", "child", "ATTEMPTS", 1);
    await tasks.enqueue("parents", { type: "parent" }, "ID", "p", ...at(0));
    await claim("parents", 0);
    for (const [place, id] of ["a", "b", "c"].entries())
      await tasks.enqueue("q", { type: "child" }, "ID", id, "PARENT", "p", ...at(10 + place));
  });

  it("a parent ends with the last of its children, and knows how they ended and how long they took", async () => {
    expect(await finish("p", 100, "RESULT", '{"links":3}')).toBe(1);
    expect(await shown("p")).toMatchObject({
      state: "waiting_children",
      at: NOON + 100,
      children_total: 3,
      children_finished: 0,
    });
    expect(await claim("q", 200)).toMatchObject({ id: "a", parent: "p" });
    await finish("a", 210);
    await claim("q", 220);
    await tasks.call("fail_task", "b", ...at(230));
    expect(await shown("p")).toMatchObject({ state: "waiting_children", children_finished: 1, children_failed: 1 });
    expect((await shown("p")).children_ms).toBeUndefined();
    await tasks.call("cancel_task", "c", ...at(310));
    expect(await shown("p")).toMatchObject({
      state: "finished",
      at: NOON + 310,
      result: { links: 3 },
      children_total: 3,
      children_finished: 1,
      children_failed: 1,
      children_cancelled: 1,
      children_ms: 300,
    });
    expect(await status("parents", 310)).toMatchObject({ waiting_children: 0, finished: 1, total_finished: 1 });
  });

  it("children may end before their parent's own work does, and more may come meanwhile", async () => {
    await drain("q", 50);
    expect(await shown("p")).toMatchObject({ state: "leased", children_finished: 3, children_ms: 40 });
    await tasks.enqueue("q", { type: "child" }, "ID", "d", "PARENT", "p", ...at(60));
    await finish("p", 70);
    await tasks.enqueue("q", { type: "child" }, "ID", "e", "PARENT", "p", ...at(80));
    await drain("q", 90);
    expect(await shown("p")).toMatchObject({
      state: "finished",
      children_total: 5,
      children_finished: 5,
      children_ms: 80,
    });
  });

  it("a parent that has ended, or is not there, gets no more", async () => {
    await drain("q", 50);
    await finish("p", 60);
    const before = await digest(tasks.client);
    expect(await tasks.refusal("enqueue_task", "q", '{"type":"child"}', "PARENT", "p")).toMatch(
      /^CONFLICT the parent, task 'p', has ended: it is finished/,
    );
    expect(await tasks.refusal("enqueue_task", "q", '{"type":"child"}', "PARENT", "nobody")).toMatch(
      /^NOTFOUND there is no task 'nobody'/,
    );
    expect(await digest(tasks.client)).toEqual(before);
  });

  it("a call repeated after the parent has ended is answered as the first one was", async () => {
    await tasks.call("cancel_task", "p", ...at(20));
    expect(await tasks.enqueue("q", { type: "child" }, "ID", "a", "PARENT", "p", ...at(30))).toBe("a");
  });

  it("children that wait are cancelled with their parent, however little it is kept; those that are out go on", async () => {
    await tasks.call("define_task", "parent", "KEEP", 0);
    await claim("q", 20);
    await tasks.call("cancel_task", "p", ...at(30));
    await tasks.enqueue("q", job, "ID", "another", ...at(40));
    expect(await claim("q", 50)).toMatchObject({ id: "another" });
    expect(await shown("b")).toMatchObject({ state: "cancelled" });
    expect(await shown("p")).toMatchObject({ state: "cancelled", children_cancelled: 2 });
    expect(await finish("a", 60)).toBe(1);
    expect(await tasks.get("p"), "forgotten with the last child").toBeNull();
  });

  it("more cancelled children than a call passes over", async () => {
    for (let child = 0; child < 250; child += 1)
      await tasks.enqueue("many", { type: "child" }, "PARENT", "p", ...at(20));
    await tasks.enqueue("many", job, "ID", "another", "PRIORITY", 9, ...at(20));
    await tasks.call("cancel_task", "p", ...at(30));
    const claims = [];
    for (let call = 0; call < 4; call += 1) claims.push((await tasks.claim("many", ...at(40)))?.id ?? null);
    expect(claims).toEqual([null, null, "another", null]);
    expect(await status("many", 40)).toMatchObject({ ready: 0, cancelled: 250 });
  });

  it("a dead child that is retried is open again", async () => {
    await claim("q", 20);
    await tasks.call("fail_task", "a", ...at(20));
    await finish("p", 30);
    await tasks.call("retry_task", "a", ...at(40));
    expect(await shown("p")).toMatchObject({ state: "waiting_children", children_failed: 0 });
    await drain("q", 50);
    expect(await shown("p")).toMatchObject({ state: "finished", children_finished: 3, children_failed: 0 });
  });

  it("a dead child that is cancelled stays one that failed", async () => {
    await claim("q", 20);
    await tasks.call("fail_task", "a", ...at(20));
    await tasks.call("cancel_task", "a", ...at(30));
    expect(await shown("p")).toMatchObject({ children_failed: 1, children_cancelled: 0 });
    await drain("q", 40);
    await finish("p", 50);
    expect(await shown("p")).toMatchObject({
      state: "finished",
      children_total: 3,
      children_failed: 1,
      children_finished: 2,
    });
  });

  it("another task under the id of the parent is not the parent", async () => {
    await tasks.call("cancel_task", "p", ...at(20));
    await tasks.enqueue("parents", { type: "parent" }, "ID", "p", ...at(30));
    expect(await drain("q", 40)).toEqual(["a", "b", "c"]);
    await tasks.enqueue("q", { type: "child" }, "ID", "z", "PARENT", "p", ...at(50));
    expect(await shown("p")).toMatchObject({ children_total: 1, children_finished: 0 });
  });

  it("generations: the last of the last ends all above; a seventeenth is refused", async () => {
    let parent = "p";
    await finish("p", 20);
    for (let depth = 1; depth <= 16; depth += 1) {
      const id = `g${depth}`;
      await tasks.enqueue("deep", { type: "child" }, "ID", id, "PARENT", parent, ...at(20 + depth));
      expect((await claim("deep", 40)).id).toBe(id);
      parent = id;
    }
    expect(await tasks.refusal("enqueue_task", "deep", '{"type":"child"}', "PARENT", parent)).toMatch(
      /^LIMIT at most 16 generations/,
    );
    await drain("q", 50);
    for (let depth = 1; depth < 16; depth += 1) await finish(`g${depth}`, 60);
    expect(await shown("p")).toMatchObject({ state: "waiting_children", children_total: 4 });
    await finish("g16", 70);
    for (const id of ["p", "g1", "g15", "g16"])
      expect(await shown(id)).toMatchObject({ state: "finished", at: NOON + 70 });
  });
});

describe("hooks", () => {
  beforeEach(async () => {
    for (const type of ["login", "warm", "report", "tidy"]) await tasks.call("define_task", type, "ATTEMPTS", 1);
    await tasks.call("define_task", "job", "PRE", "login,warm", "POST", "report,tidy");
  });

  it("PRE tasks run before it in order, POST tasks after it", async () => {
    await tasks.enqueue("q", { ...job, n: 1 }, "ID", "a", "PRIORITY", 2, "DELAY", SECOND, ...at(0));
    expect(await shown("a")).toMatchObject({ state: "held", at: NOON });
    expect(await tasks.claim("q", ...at(SECOND - 1))).toBeNull();
    const login = await claim("q", SECOND);
    expect(login).toMatchObject({
      type: "login",
      priority: 2,
      payload: { type: "login", hook: "pre", task: "a", payload: { type: "job", n: 1 } },
    });
    expect(await shown("a")).toMatchObject({ held_by: login.id });
    expect(await shown(login.id)).toMatchObject({ hook: "pre", task: "a" });
    expect(await tasks.claim("q", ...at(SECOND))).toBeNull();
    await finish(login.id, SECOND);
    const warm = await claim("q", SECOND);
    expect(warm).toMatchObject({ type: "warm", payload: { type: "warm", hook: "pre", task: "a", payload: { n: 1 } } });
    await finish(warm.id, SECOND);
    expect(await claim("q", SECOND)).toMatchObject({ id: "a", type: "job", attempt: 1, priority: 2 });
    await finish("a", SECOND, "RESULT", '{"ok":[]}');
    expect(await shown("a")).toMatchObject({ state: "finished" });
    const report = await claim("q", SECOND);
    expect(report.payload).toEqual({
      type: "report",
      hook: "post",
      task: "a",
      payload: { type: "job", n: 1 },
      result: { ok: [] },
    });
    expect(await tasks.claim("q", ...at(SECOND))).toBeNull();
    await finish(report.id, SECOND);
    const tidy = await claim("q", SECOND);
    expect(tidy.payload).toEqual({ ...report.payload, type: "tidy" });
    await finish(tidy.id, SECOND);
    expect(await status("q", SECOND)).toMatchObject({ finished: 5, total_enqueued: 5, next: null });
  });

  it("a POST waits for the children as well, and none follows one that died", async () => {
    await tasks.call("define_task", "job", "PRE", "");
    await tasks.call("define_task", "child");
    await tasks.enqueue("q", job, "ID", "a", ...at(0));
    await claim("q", 0);
    await tasks.enqueue("q", { type: "child" }, "ID", "c", "PARENT", "a", ...at(0));
    await finish("a", 0);
    expect(await claim("q", 0)).toMatchObject({ id: "c" });
    expect(await tasks.claim("q", ...at(0))).toBeNull();
    await finish("c", 1);
    const report = await claim("q", 1);
    expect(report).toMatchObject({ type: "report" });
    await tasks.call("fail_task", report.id, ...at(1));
    expect(await tasks.claim("q", ...at(2))).toBeNull();
    expect(await shown("a")).toMatchObject({ state: "finished" });
  });

  it.each([
    ["dies", (id: string) => tasks.call("fail_task", id, ...at(5)), "its hook warm died"],
    ["is cancelled", (id: string) => tasks.call("cancel_task", id, ...at(5)), "its hook warm was cancelled"],
  ])("a PRE that %s fails the task and its parent's count; retried, it is held again", async (_, end, reason) => {
    await tasks.call("define_task", "parent");
    await tasks.enqueue("parents", { type: "parent" }, "ID", "p", ...at(0));
    await tasks.enqueue("q", job, "ID", "a", "PARENT", "p", ...at(0));
    await finish((await claim("q", 1)).id, 1);
    const warm = await claim("q", 5);
    await end(warm.id);
    expect(await shown("a")).toMatchObject({ state: "dead", reason, attempt: 0, at: NOON + 5 });
    expect(await shown("p")).toMatchObject({ children_failed: 1 });
    expect(await tasks.call("retry_task", "a", ...at(10))).toBe(1);
    expect(await shown("a")).toMatchObject({ state: "held" });
    expect(await shown("p")).toMatchObject({ children_failed: 0 });
    for (const type of ["login", "warm", "job"]) {
      const claimed = await claim("q", 10);
      expect(claimed.type).toBe(type);
      await finish(claimed.id, 10);
    }
    expect(await shown("p")).toMatchObject({ children_finished: 1 });
  });

  it("cancel_task of a held task cancels the hook that it waits for", async () => {
    await tasks.enqueue("q", job, "ID", "a", ...at(0));
    await tasks.call("cancel_task", "a", ...at(1));
    expect(await tasks.claim("q", ...at(2))).toBeNull();
    expect(await status("q", 2)).toMatchObject({ held: 0, ready: 0, cancelled: 2 });
  });

  it("a hook that is out when its task is cancelled ends by itself", async () => {
    await tasks.enqueue("q", job, "ID", "a", ...at(0));
    const { id } = await claim("q", 0);
    await tasks.call("cancel_task", "a", ...at(1));
    await finish(id, 2);
    expect(await tasks.claim("q", ...at(3))).toBeNull();
    expect(await shown("a")).toMatchObject({ state: "cancelled" });
  });

  it("hooks have no hooks, and a hook with children holds until they have ended", async () => {
    await tasks.call("define_task", "child");
    await tasks.call("define_task", "login", "PRE", "job");
    await tasks.enqueue("q", job, "ID", "a", ...at(0));
    const login = await claim("q", 0);
    await tasks.enqueue("q", { type: "child" }, "ID", "c", "PARENT", login.id, ...at(0));
    await finish(login.id, 0);
    await claim("q", 0);
    expect(await tasks.claim("q", ...at(0))).toBeNull();
    await finish("c", 0);
    expect(await claim("q", 0)).toMatchObject({ type: "warm" });
  });

  it.each([
    [["PRE", "nobody"], /^BADCONFIG PRE names the task type 'nobody', which is not defined/],
    [["POST", "login,nobody"], /^BADCONFIG POST names the task type 'nobody'/],
    [["POST", "a b"], /^BADARG POST must be made of/],
    [["PRE", Array.from({ length: 11 }, () => "login").join()], /^LIMIT at most 10 types in PRE, got 11/],
  ])("define_task refuses %j", async (args, message) => {
    expect(await tasks.refusal("define_task", "job", ...args)).toMatch(message);
  });
});

describe("what is kept", () => {
  it("finished tasks for as long as their type says; those that are over are forgotten at every eighth end", async () => {
    await tasks.call("define_task", "job", "KEEP", MINUTE);
    const end = async (id: string, ms: number): Promise<void> => {
      await tasks.enqueue("q", job, "ID", id, ...at(ms));
      await drain("q", ms);
    };
    for (const id of ["a", "b", "c", "d", "e", "f"]) await end(id, 0);
    await end("g", MINUTE - 1);
    expect((await tasks.list("q", "STATE", "finished")).total).toBe(7);
    await end("h", MINUTE);
    expect((await tasks.list("q", "STATE", "finished")).listed.map(({ id }) => id)).toEqual(["g", "h"]);
    expect(await tasks.get("a")).toBeNull();
    await tasks.call("define_task", "job", "KEEP", 0);
    await end("i", MINUTE);
    expect(await tasks.get("i")).toBeNull();
    expect(await status("q", MINUTE)).toMatchObject({ finished: 2, total_finished: 9 });
    expect((await tasks.client.keys("H:TASK::*")).length).toBe(2);
  });

  it("about ten thousand of a queue at most", async () => {
    const names = Array.from({ length: 10_020 }, (_, n) => ({ score: NOON + DAY + n, value: `old${n}` }));
    await tasks.client.zAdd("SS:TASKS.FINISHED::q::", names);
    for (let n = 0; n < 16; n += 1) await tasks.enqueue("q", job, "ID", `t${n}`, ...at(DAY - HOUR));
    await drain("q", DAY - HOUR);
    expect((await tasks.list("q", "STATE", "finished", "COUNT", 1)).total).toBe(10_004);
    expect(await tasks.get("t0")).toMatchObject({ state: "finished" });
    for (let n = 0; n < 8; n += 1) await tasks.enqueue("q", job, "ID", `u${n}`, ...at(DAY - HOUR));
    await drain("q", DAY - HOUR);
    expect((await tasks.list("q", "STATE", "finished", "COUNT", 1)).total).toBe(10_000);
  });

  it("a task whose hash is gone is dropped when it is its turn, or its lease ends", async () => {
    for (const id of ["a", "b", "c"]) await tasks.enqueue("q", job, "ID", id, ...at(0));
    await claim("q", 0);
    await tasks.client.del(["H:TASK::a::", "H:TASK::b::"]);
    expect(await claim("q", HOUR)).toMatchObject({ id: "c" });
    expect(await status("q", HOUR)).toMatchObject({ ready: 0, leased: 1 });
  });
});

describe("types", () => {
  it("options that are not named stay as they are", async () => {
    expect(await tasks.record("get_task_type", "job")).toEqual({
      type: "job",
      pre: "",
      post: "",
      attempts: 3,
      backoff: 30_000,
      lease: 60_000,
      keep: DAY,
    });
    await tasks.call("define_task", "a", "LEASE", 5, "POST", "job,a");
    await tasks.call("define_task", "a", "ATTEMPTS", 7);
    expect(await tasks.record("get_task_type", "a")).toMatchObject({ attempts: 7, lease: 5, post: "job,a" });
    await tasks.call("define_task", "a", "POST", "");
    expect(await tasks.record("get_task_type", "a")).toMatchObject({ post: "" });
    expect(await tasks.read("list_task_types")).toEqual(["a", "job"]);
    expect(await tasks.read("get_task_type", "nobody")).toBeNull();
  });
});

describe("get_queue_status", () => {
  it("counts each state, and knows when there is something to claim", async () => {
    expect(await status("q", 0)).toMatchObject({ ready: 0, delayed: 0, lag_ms: 0, next: null });
    await tasks.enqueue("q", job, "PRIORITY", 9, ...at(0));
    await tasks.enqueue("q", job, "PRIORITY", 0, "DELAY", HOUR, ...at(0));
    await tasks.enqueue("q", job, "PRIORITY", 9, "DELAY", 2 * HOUR, ...at(0));
    expect(await status("q", 7)).toMatchObject({ ready: 1, delayed: 2, lag_ms: 7, next: NOON });
    await claim("q", 7, "LEASE", 100);
    expect(await status("q", 8)).toMatchObject({ ready: 0, delayed: 2, leased: 1, lag_ms: 0, next: NOON + 107 });
    expect(await status("q", 2 * HOUR)).toMatchObject({ ready: 2, delayed: 0, lag_ms: HOUR });
  });
});

describe("list_tasks", () => {
  it("pages through a state in the order of going out", async () => {
    for (let n = 0; n < 25; n += 1)
      await tasks.enqueue("q", job, "ID", `t${String(n).padStart(2, "0")}`, "PRIORITY", n % 2, ...at(n));
    const all = await tasks.list("q");
    const pages = await Promise.all([0, 10, 20].map((offset) => tasks.list("q", "OFFSET", offset, "COUNT", 10)));
    expect(pages.map(({ total }) => total)).toEqual([25, 25, 25]);
    expect(pages.flatMap(({ listed }) => listed)).toEqual(all.listed);
    expect(all.listed.map(({ id }) => id)).toEqual(await drain("q", HOUR));
  });
});

describe("foreign keys", () => {
  const SETS = ["READY", "LEASED", "DEAD", "HELD", "JOINING", "FINISHED", "CANCELLED"].map(
    (state) => `SS:TASKS.${state}::q::`,
  );
  const KEYS = [...SETS, "H:TASKS::::", "H:TASKS.TYPES::::", "S:TASKS.QUEUES::::", "H:TASK::a::"];

  it.each(KEYS)("%s of another type: no call leaves half of what it does", async (key) => {
    await tasks.enqueue("q", job, "ID", "a", ...at(0));
    await tasks.enqueue("q", job, "ID", "b", ...at(1));
    const token = key === "H:TASK::a::" ? "1-1" : (await claim("q", 1)).token;
    await tasks.client.del(key);
    await tasks.client.set(key, "foreign");
    const calls: [string, ...(string | number)[]][] = [
      ["claim_task", "q", ...at(2)],
      ["claim_task", "q", ...at(HOUR)],
      ["enqueue_task", "q", '{"type":"job"}', "ID", "n"],
      ["enqueue_task", "q", '{"type":"job"}', "ID", "a"],
      ["extend_task", "a", "TOKEN", token],
      ["fail_task", "a", "TOKEN", token],
      ["cancel_task", "b"],
      ["retry_task", "b"],
      ["finish_task", "a", "TOKEN", token],
      ["list_tasks", "q"],
      ["get_queue_status", "q"],
      ["list_queues"],
      ["list_task_types"],
      ["get_task", "b"],
      ["define_task", "new"],
    ];
    for (const [name, ...args] of calls) {
      const before = await digest(tasks.client);
      const message = await tasks.refusal(name, ...args);
      if (message === undefined) continue;
      expect(message, `${name} ${args.join(" ")}`).toMatch(/^(CONFLICT|NOTFOUND) /);
      if (message.startsWith("CONFLICT") && !message.startsWith("CONFLICT task '")) expect(message).toContain(key);
      expect(await digest(tasks.client), `${name} ${args.join(" ")}`).toEqual(before);
    }
    expect(await tasks.client.get(key)).toBe("foreign");
  });
});

describe("routing keys", () => {
  it("all keys of a call carry its tag", async () => {
    await tasks.routed(["{eu}"], "define_task", "job", "PRE", "job");
    await tasks.routed(["{eu}"], "enqueue_task", "q", '{"type":"job"}', "ID", "a");
    for (let step = 0; step < 2; step += 1) {
      const { id } = JSON.parse((await tasks.routed(["{eu}"], "claim_task", "q")) as string) as ClaimedTask;
      expect(await tasks.routed(["{eu}"], "finish_task", id)).toBe(1);
    }
    expect(await tasks.get("a")).toBeNull();
    const keys = (await tasks.client.keys("*")).filter((key) => !key.includes("TASKS.TYPES::::"));
    expect(keys.filter((key) => !key.includes("{eu}"))).toEqual([]);
  });
});

describe("declarations", () => {
  const FUNCTIONS = readTasksManifest();

  it("are all there", () => {
    const names = [
      "enqueue_task",
      "claim_task",
      "extend_task",
      "finish_task",
      "fail_task",
      "release_task",
      "cancel_task",
      "retry_task",
      "get_task",
      "list_tasks",
    ];
    const also = ["get_queue_status", "list_queues", "define_task", "get_task_type", "list_task_types"];
    expect(FUNCTIONS.map(({ name }) => name)).toEqual([...names, ...also]);
  });

  it.each(FUNCTIONS.map((declaration) => [declaration.name, declaration] as const))(
    "%s: readers, and no others, are no-writes",
    async (name, { role, flags, positional }) => {
      expect(flags.includes("no-writes")).toBe(role === "reader");
      const args = positional.map((each) => (each.name === "task" ? '{"type":"job"}' : "q"));
      const message = await tasks.read(name, ...args).then(
        () => "",
        (error: Error) => error.message,
      );
      expect(/write/.test(message)).toBe(role !== "reader");
      const before = await digest(tasks.client);
      expect(await tasks.refusal(name, ...args.slice(0, -1), ...(args.length > 0 ? [] : ["too many"]))).toMatch(
        /^BADARG /,
      );
      expect(await tasks.refusal(name, ...args, "NOSUCH", 1)).toMatch(/^BADARG .*NOSUCH/);
      expect(await digest(tasks.client)).toEqual(before);
    },
  );
});
