/**
 * The index in plain TypeScript: files, and plans that wait and that are out, without a thought for speed. Ids are the server's
 * to choose; the model learns them from the lists.
 */
import type { Entry } from "./metadata";

export interface Configuration {
  /** [timeout (s), largest size, id] by iteration, from 1. */
  merge: [number, number, number][];
  layers: Record<string, { ttl_sec: number; layer_to: string }>;
}

/** A plan in a list. */
export interface Plan {
  id?: string;
  paths: string[];
  size: number;
  /** Undefined where the clock of the call was the server's. */
  timeS: number | undefined;
}

interface Stored {
  entry: Entry;
  text: string;
}

const LEASE_S = 1800;
const DROP_S = 30;

const folderOf = (path: string): string => path.slice(0, path.lastIndexOf("/"));
const iterationOf = (path: string): number => Number(/\.(\d+)\.parquet$/.exec(path)![1]);

export class IndexModel {
  readonly files = new Map<string, Stored>();
  /** By name of the list's queue. */
  readonly waiting = new Map<string, Plan[]>();
  readonly out = new Map<string, Plan[]>();
  readonly #configuration: Configuration;

  constructor(configuration: Configuration) {
    this.#configuration = configuration;
  }

  folders(): Record<string, string> {
    const counts: Record<string, number> = {};
    for (const path of this.files.keys()) counts[folderOf(path)] = (counts[folderOf(path)] ?? 0) + 1;
    return Object.fromEntries(Object.entries(counts).map(([folder, count]) => [folder, String(count)]));
  }

  patch(text: string, nowS: number | undefined): void {
    const entry = JSON.parse(text) as Entry;
    if (entry.cmd === "DELETE") this.#delete(entry, nowS);
    else this.#add(entry, text, nowS);
  }

  #add(entry: Entry, text: string, nowS: number | undefined): void {
    const before = this.files.get(entry.path)?.entry;
    this.files.set(entry.path, { entry, text });
    if (before === undefined) return this.#plan(entry, nowS);
    if (before.layer !== entry.layer || before.writer_id !== entry.writer_id) {
      this.#takeOut(before);
      return this.#plan(entry, nowS);
    }
    const [, plan] = this.#find(before);
    if (plan !== undefined && this.#isMerge(plan))
      plan.size = Math.max(plan.size - before.size_bytes, 0) + entry.size_bytes;
  }

  #isMerge(plan: Plan): boolean {
    return [...this.waiting].some(([name, plans]) => name.startsWith("merge:") && plans.includes(plan));
  }

  #delete({ path, layer, writer_id: writer }: Partial<Entry> & { path: string }, nowS: number | undefined): void {
    const before = this.files.get(path)?.entry;
    if (before === undefined) return;
    this.files.delete(path);
    this.#takeOut(before);
    const queue = `drop:d:t:${layer ?? before.layer}:${writer ?? before.writer_id}`;
    this.#list(this.waiting, queue).push({
      paths: [path],
      size: 0,
      timeS: nowS === undefined ? undefined : nowS + DROP_S,
    });
  }

  /** The plan that waits with a file, and its queue. */
  #find({ path, layer, writer_id: writer }: Entry): [string, Plan] | [undefined, undefined] {
    const merge = `merge:d:t:${iterationOf(path)}:${folderOf(path)}:${layer}:${writer}`;
    for (const name of [merge, `move:d:t:${layer}:${writer}`]) {
      const plan = this.waiting.get(name)?.find(({ paths }) => paths.includes(path));
      if (plan !== undefined) return [name, plan];
    }
    return [undefined, undefined];
  }

  #takeOut(entry: Entry): void {
    const [name, plan] = this.#find(entry);
    if (plan === undefined) return;
    plan.paths = plan.paths.filter((path) => path !== entry.path);
    plan.size = Math.max(plan.size - entry.size_bytes, 0);
    if (plan.paths.length === 0)
      this.#replace(
        this.waiting,
        name,
        this.waiting.get(name)!.filter((each) => each !== plan),
      );
  }

  #plan(
    { path, layer, writer_id: writer, size_bytes: size, str_chunk_time: chunk }: Entry,
    nowS: number | undefined,
  ): void {
    const { merge, layers } = this.#configuration;
    const iteration = iterationOf(path);
    const step = merge[iteration - 1];
    const { ttl_sec: ttl } = layers[layer]!;
    const moves = ttl > 0;
    if (step !== undefined && (!moves || step[0] <= ttl)) {
      const plans = this.#list(this.waiting, `merge:d:t:${iteration}:${folderOf(path)}:${layer}:${writer}`);
      const open = plans.at(-1);
      if (open !== undefined && open.size + size <= step[1]) {
        open.paths.push(path);
        open.size += size;
      } else {
        plans.push({ paths: [path], size, timeS: nowS === undefined ? undefined : nowS + step[0] });
      }
    } else if (moves) {
      const chunkS = Number(BigInt(chunk) / 1_000_000_000n);
      this.#list(this.waiting, `move:d:t:${layer}:${writer}`).push({ paths: [path], size: 0, timeS: chunkS + ttl });
    }
  }

  #list(lists: Map<string, Plan[]>, name: string): Plan[] {
    if (!lists.has(name)) lists.set(name, []);
    return lists.get(name)!;
  }

  #replace(lists: Map<string, Plan[]>, name: string, plans: Plan[]): void {
    if (plans.length === 0) lists.delete(name);
    else lists.set(name, plans);
  }

  /** Paths of a plan that is given out again: those whose files are still there. */
  #left(name: string, { paths }: Plan): string[] {
    return name.startsWith("drop:") ? paths : paths.filter((path) => this.files.has(path));
  }

  /**
   * Heads that may be given out of queues with names like this one, and what is left of their paths: of those that wait, else
   * of those that are out and have files.
   */
  due(pattern: RegExp, nowS: number): { name: string; plan: Plan; left: string[] }[] {
    const names = [...new Set([...this.waiting.keys(), ...this.out.keys()])].filter((name) => pattern.test(name));
    return names.flatMap((name) => {
      const waiting = this.waiting.get(name)?.[0];
      if (waiting !== undefined && waiting.timeS! <= nowS) return [{ name, plan: waiting, left: waiting.paths }];
      const plan = this.out.get(name)?.find((each) => each.timeS! > nowS || this.#left(name, each).length > 0);
      return plan === undefined || plan.timeS! > nowS ? [] : [{ name, plan, left: this.#left(name, plan) }];
    });
  }

  /** Ends the plans at the head of a queue's that are out whose leases have ended and whose files are gone, but those listed. */
  endEmptied(name: string, listed: ReadonlySet<string>, nowS: number): void {
    const plans = this.out.get(name) ?? [];
    const first = plans.findIndex(
      (each) => each.timeS! > nowS || this.#left(name, each).length > 0 || listed.has(each.id!),
    );
    this.#replace(this.out, name, first === -1 ? [] : plans.slice(first));
  }

  /** Gives a head out, with the paths that are left of it. */
  take(name: string, plan: Plan, left: string[], nowS: number): void {
    plan.paths = left;
    for (const lists of [this.waiting, this.out]) {
      const plans = lists.get(name);
      if (plans?.[0] !== plan) continue;
      this.#replace(lists, name, plans.slice(1));
      break;
    }
    plan.timeS = nowS + LEASE_S;
    this.#list(this.out, name).push(plan);
  }

  /** Ends a plan that is out; whether there was one. */
  end(kind: string, id: string): boolean {
    for (const [name, plans] of this.out) {
      if (!name.startsWith(`${kind}:`) || !plans.some((plan) => plan.id === id)) continue;
      this.#replace(
        this.out,
        name,
        plans.filter((plan) => plan.id !== id),
      );
      return true;
    }
    return false;
  }
}
