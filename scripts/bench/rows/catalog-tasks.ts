/** Tasks: enqueued, and claimed and finished, against BullMQ on the same server and against the least that a queue can do. */
import { Queue, Worker } from "bullmq";
import { createClient } from "@redis/client";
import type { Bench } from "../bench";
import { interleave, rateOf, ratioOf, type Samples, type Side } from "../measure";
import { perSecond, type Findings, type Group, type Row } from "../row";
import { DAY_MS } from "../../../host/runtime/time";

/** Tasks in the hands of one process at a time, on either side. */
const CONCURRENCY = 20;
/** Tasks that one process has sent and not yet been answered. */
const ADDED_AT_ONCE = 100;
const ATTEMPTS = 3;
const BACKOFF_MS = 30_000;
const LEASE_MS = 30_000;
const KEPT = 10_000;
const KEPT_MS = DAY_MS;
const NAME = "tasks";

/** What a task that fetches a product page would carry. */
const payloadOf = (at: number): { vendor: string; url: string } => ({
  vendor: "shop.example",
  url: `https://shop.example/products/${at}.html`,
});

/** Runs something for each number below `count`, so many at a time. */
async function each(count: number, atOnce: number, run: (at: number) => Promise<unknown>): Promise<void> {
  for (let from = 0; from < count; from += atOnce) {
    await Promise.all(Array.from({ length: Math.min(atOnce, count - from) }, (_, place) => run(from + place)));
  }
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

const define = (bench: Bench): Promise<unknown> =>
  bench.call(
    "FCALL",
    "define_task",
    0,
    "product",
    "ATTEMPTS",
    ATTEMPTS,
    "BACKOFF",
    BACKOFF_MS,
    "LEASE",
    LEASE_MS,
    "KEEP",
    KEPT_MS,
  );

const enqueue = (bench: Bench, count: number): Promise<void> =>
  each(count, ADDED_AT_ONCE, (at) =>
    bench.call("FCALL", "enqueue_task", 0, NAME, JSON.stringify({ type: "product", ...payloadOf(at) })),
  );

/** One worker after another claims; a task is finished in the round trip that brings the next. */
async function claimAndFinish(bench: Bench, count: number): Promise<void> {
  let done = 0;
  const claim = async (): Promise<{ id: string; token: string } | null> =>
    JSON.parse(((await bench.call("FCALL", "claim_task", 0, NAME)) as string | null) ?? "null") as {
      id: string;
      token: string;
    } | null;
  const work = async (): Promise<void> => {
    for (let claimed = await claim(); claimed !== null;) {
      const finished = bench.call("FCALL", "finish_task", 0, claimed.id, "TOKEN", claimed.token);
      [claimed] = await Promise.all([claim(), finished]);
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  if (done !== count) throw new Error(`${done} of ${count} tasks were finished`);
}

/** A connection of the client that our own side uses as well. */
const connect = ({ port }: Bench) => createClient({ url: `redis://127.0.0.1:${port}`, RESP: 2 }).connect();

const JOB_OPTIONS = {
  attempts: ATTEMPTS,
  backoff: { type: "exponential", delay: BACKOFF_MS },
  removeOnComplete: { count: KEPT, age: KEPT_MS / 1000 },
} as const;

/** A queue of BullMQ for as long as something runs. */
async function withQueue(bench: Bench, run: (queue: Queue) => Promise<void>): Promise<void> {
  const client = await connect(bench);
  const queue = new Queue(NAME, { connection: client, defaultJobOptions: JOB_OPTIONS });
  try {
    await queue.waitUntilReady();
    await run(queue);
  } finally {
    await queue.close();
    client.destroy();
  }
}

const add = (queue: Queue, count: number): Promise<void> =>
  each(count, ADDED_AT_ONCE, (at) => queue.add("product", payloadOf(at)));

async function addInBulk(queue: Queue, count: number): Promise<void> {
  for (let from = 0; from < count; from += ADDED_AT_ONCE) {
    await queue.addBulk(
      Array.from({ length: Math.min(ADDED_AT_ONCE, count - from) }, (_, at) => ({
        name: "product",
        data: payloadOf(from + at),
      })),
    );
  }
}

/** A worker that does nothing with its jobs, until it has completed them all. */
async function workOff(bench: Bench, count: number): Promise<number> {
  const client = await connect(bench);
  const worker = new Worker(NAME, () => Promise.resolve(), {
    connection: client,
    concurrency: CONCURRENCY,
    lockDuration: LEASE_MS,
    autorun: false,
  });
  await worker.waitUntilReady();
  let done = 0;
  const all = new Promise<void>((resolve, reject) => {
    worker.on("completed", () => void ((done += 1) === count && resolve()));
    worker.on("failed", (_, error) => reject(error));
  });
  const elapsed = await timed(() => {
    worker.run().catch((error: unknown) => console.error(error));
    return all;
  });
  await worker.close();
  client.destroy();
  return elapsed;
}

/** A side that begins with an empty database and does something with a queue of BullMQ, connected before the clock starts. */
function bullSide(bench: Bench, label: string, run: (queue: Queue) => Promise<void>): Side {
  return {
    label,
    prepare: () => bench.flush(),
    run: async () => {
      let elapsed = 0;
      await withQueue(bench, async (queue) => void (elapsed = await timed(() => run(queue))));
      return elapsed;
    },
  };
}

async function enqueueRows(bench: Bench, count: number, rounds: number): Promise<Row[]> {
  const ours: Side = {
    label: "ours",
    prepare: async () => {
      await bench.flush();
      await define(bench);
    },
    run: () => timed(() => enqueue(bench, count)),
  };
  const sides = [
    ours,
    bullSide(bench, "add", (queue) => add(queue, count)),
    bullSide(bench, "bulk", (queue) => addInBulk(queue, count)),
  ];
  const samples = await interleave(bench, sides, rounds);
  return [
    rowOf(samples, count, "add", `enqueue_task, ${ADDED_AT_ONCE} in flight`, `BullMQ: add, ${ADDED_AT_ONCE} in flight`),
    rowOf(samples, count, "bulk", `enqueue_task, ${ADDED_AT_ONCE} in flight`, `BullMQ: addBulk of ${ADDED_AT_ONCE}`),
  ];
}

function rowOf(samples: Samples, count: number, theirs: string, what: string, against: string): Row {
  return {
    what,
    against,
    ours: perSecond(rateOf(samples, "ours", count), "tasks"),
    theirs: perSecond(rateOf(samples, theirs, count), theirs === "raw" ? "tasks" : "jobs"),
    ratio: ratioOf(samples, "ours", theirs),
  };
}

const RAW_READY = "raw:ready";
const rawTask = (at: number | string): string => `raw:task:${at}`;

async function rawEnqueue(bench: Bench, count: number): Promise<void> {
  await each(count, ADDED_AT_ONCE, (at) =>
    Promise.all([
      bench.call("HSET", rawTask(at), "payload", JSON.stringify(payloadOf(at))),
      bench.call("ZADD", RAW_READY, at, at),
    ]),
  );
}

/** No lease, no attempts, nothing kept: what a worker has taken is lost with it. */
async function rawTakeAndDelete(bench: Bench, count: number): Promise<void> {
  let done = 0;
  const work = async (): Promise<void> => {
    for (;;) {
      const [id] = (await bench.call("ZPOPMIN", RAW_READY)) as string[];
      if (id === undefined) return;
      await Promise.all([bench.call("HGETALL", rawTask(id)), bench.call("UNLINK", rawTask(id))]);
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  if (done !== count) throw new Error(`${done} of ${count} raw tasks were taken`);
}

async function workRows(bench: Bench, count: number, rounds: number): Promise<Row[]> {
  const sides: Side[] = [
    {
      label: "ours",
      prepare: async () => {
        await bench.flush();
        await define(bench);
        await enqueue(bench, count);
      },
      run: () => timed(() => claimAndFinish(bench, count)),
    },
    {
      label: "bull",
      prepare: async () => {
        await bench.flush();
        await withQueue(bench, (queue) => addInBulk(queue, count));
      },
      run: () => workOff(bench, count),
    },
    {
      label: "raw",
      prepare: async () => {
        await bench.flush();
        await rawEnqueue(bench, count);
      },
      run: () => timed(() => rawTakeAndDelete(bench, count)),
    },
  ];
  const samples = await interleave(bench, sides, rounds);
  const what = `claim_task and finish_task, ${CONCURRENCY} at once`;
  return [
    rowOf(samples, count, "bull", what, `BullMQ: a Worker with concurrency ${CONCURRENCY}`),
    rowOf(samples, count, "raw", what, "ZPOPMIN, then HGETALL and UNLINK: lost in a crash"),
  ];
}

async function run(bench: Bench): Promise<Findings> {
  const { tasks: count, rounds } = bench.sizes;
  const few = Math.min(rounds, 5);
  return {
    rows: [...(await enqueueRows(bench, count, few)), ...(await workRows(bench, count, few))],
    notes: [
      `tasks: ${count.toLocaleString("en-US")} of one type, without hooks, parents and delay, payload of about 80 bytes; ${ATTEMPTS} attempts, back-off ` +
        `${BACKOFF_MS / 1000} s, lease or lock ${LEASE_MS / 1000} s, the last ${KEPT.toLocaleString("en-US")} kept for a day, on either side. One Node process and the same ` +
        `server. Ours: one connection, ${CONCURRENCY} loops in which finish_task and the next claim_task go out together. BullMQ: one Queue or Worker ` +
        "with its own connections, a processor that does nothing, everything else as it comes; its worker fetches the next job with the end of " +
        "the last. BullMQ also writes an event stream for each job, which tasks here have no counterpart of.",
    ],
  };
}

export const catalogTasks: Group = { name: "catalog-tasks", run };
