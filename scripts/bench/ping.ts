/** How long other clients wait while something runs. */
import { setTimeout as delay } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { Bench } from "./bench";
import { quantile } from "./measure";
import { milliseconds } from "./row";

const ANSWER_MS = 10_000;

/** Waits of PINGs, in milliseconds. */
export interface Waits {
  count: number;
  p50: number;
  p99: number;
  p999: number;
  max: number;
}

/** A thread does not inherit tsx from the process, so it loads it by itself. */
function startWorker(port: number): Worker {
  const tsx = import.meta.resolve("tsx/esm/api");
  const file = new URL("./ping-worker.ts", import.meta.url).href;
  const code = `import(${JSON.stringify(tsx)}).then(({ tsImport }) => tsImport(${JSON.stringify(file)}, ${JSON.stringify(import.meta.url)}))`;
  return new Worker(code, { eval: true, workerData: { port } });
}

function nextMessage(worker: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => reject(new Error("The PING client did not answer.")), ANSWER_MS);
    const settle = (end: () => void): void => {
      clearTimeout(limit);
      end();
    };
    worker.once("message", (message) => settle(() => resolve(message)));
    worker.once("error", (error: Error) => settle(() => reject(error)));
  });
}

/** Runs something while another client pings; how long those PINGs waited. */
export async function pingWhile(bench: Bench, run: () => Promise<unknown>): Promise<Waits> {
  const worker = startWorker(bench.port);
  try {
    await nextMessage(worker);
    await run();
    worker.postMessage("stop");
    const waits = (await nextMessage(worker)) as number[];
    const at = (share: number): number => quantile(waits, share);
    return { count: waits.length, p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1) };
  } finally {
    await worker.terminate();
  }
}

/** What PINGs wait on an idle server: what of a wait is the machine's. */
export function pingIdle(bench: Bench, forMs: number): Promise<Waits> {
  return pingWhile(bench, () => delay(forMs));
}

/** `p50 0.08 ms, p99 …` */
export function describeWaits({ count, p50, p99, p999, max }: Waits): string {
  const [a, b, c, d] = [p50, p99, p999, max].map(milliseconds);
  return `p50 ${a}, p99 ${b}, p99.9 ${c}, max ${d} (${count} PINGs)`;
}
