/** A slot of a cluster that is moved under the traffic of all four libraries, and what must have come of every call. */
import { existsSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { expect } from "vitest";
import type { HotpathFunctions } from "../../host/contract";
import { functionsOf } from "../../host/deploy/client";
import { inspectServer, type ServerBinary } from "../../host/embedded/embedded";
import { TableIndex } from "../../host/metadata/table-index";
import type { Connection } from "../../host/redis/connection";
import { SlotMovingError } from "../../host/runtime/errors";
import type { ClusterNode, TestCluster } from "./cluster";
import { sha1 } from "./tracker";

const MINUTE_MS = 60_000;

/** The commands by which a slot is moved, as an operator sends them. */
export class SlotMoves {
  constructor(
    private readonly cluster: TestCluster,
    readonly partition: string,
    readonly slot: string,
  ) {}

  idOf = async ({ client }: ClusterNode): Promise<string> => String(await client.sendCommand(["CLUSTER", "MYID"]));

  keysIn = async ({ client }: ClusterNode): Promise<number> =>
    Number(await client.sendCommand(["CLUSTER", "COUNTKEYSINSLOT", this.slot]));

  setSlot({ client }: ClusterNode, ...state: string[]): Promise<unknown> {
    return client.sendCommand(["CLUSTER", "SETSLOT", this.slot, ...state]);
  }

  /** The node that has the slot, and the other one. */
  async ends(): Promise<[from: ClusterNode, to: ClusterNode]> {
    const [a, b] = this.cluster.nodes as [ClusterNode, ClusterNode];
    const isHere = await a.client.sendCommand(["EXISTS", `{${this.partition}}`]).then(
      () => true,
      () => false,
    );
    return isHere ? [a, b] : [b, a];
  }

  async begin(from: ClusterNode, to: ClusterNode): Promise<void> {
    await this.setSlot(to, "IMPORTING", await this.idOf(from));
    await this.setSlot(from, "MIGRATING", await this.idOf(to));
  }

  /** Moves some keys; fails with "Target key exists" where a function has written on the node that takes the slot. */
  async step(from: ClusterNode, to: ClusterNode, keysAtOnce: number): Promise<number> {
    const command = ["CLUSTER", "GETKEYSINSLOT", this.slot, String(keysAtOnce)];
    const keys = (await from.client.sendCommand(command)) as unknown as string[];
    const address = ["127.0.0.1", String(to.server.port)];
    if (keys.length > 0) await from.client.sendCommand(["MIGRATE", ...address, "", "0", "60000", "KEYS", ...keys]);
    return keys.length;
  }

  async end(from: ClusterNode, to: ClusterNode): Promise<void> {
    const id = await this.idOf(to);
    await this.setSlot(to, "NODE", id);
    await this.setSlot(from, "NODE", id);
  }

  /** As `redis-cli --cluster reshard` does it; how many keys there were. */
  async move(from: ClusterNode, to: ClusterNode, keysAtOnce = 10): Promise<number> {
    await this.begin(from, to);
    let moved = 0;
    for (let keys = -1; keys !== 0; moved += keys) keys = await this.step(from, to, keysAtOnce);
    await this.end(from, to);
    return moved;
  }
}

export const viewOf = (page: number, device: string, dt: number): string =>
  JSON.stringify({ url: `https://rtl.example/news/${page}.html`, uui: device, dt });

/** Calls of all four libraries in one partition; each that did not say "try again" was done, once. */
export class SlotTraffic {
  readonly dt = Date.now();
  readonly functions: HotpathFunctions;
  readonly #table: TableIndex;
  readonly #sent = { views: 0, items: 0, tasks: new Set<string>(), files: 0 };
  #at = 0;
  /** Calls that were refused because the slot was being moved. */
  refused = 0;

  constructor(
    private readonly connection: Connection,
    private readonly moves: SlotMoves,
    private readonly pages: number,
  ) {
    const { partition } = moves;
    this.functions = functionsOf(connection, { partition });
    this.#table = new TableIndex(connection, { database: "db", table: "t", partition });
  }

  /** What the calls need, and a view of every page. */
  async prepare(): Promise<void> {
    await this.#table.configure({ merge: [{ timeoutSeconds: 0, maxBytes: 10 }], layers: [{ name: "l" }] });
    await this.functions.defineTask({ type: "t" });
    const events = Array.from({ length: this.pages }, (_, page) => viewOf(page, "d", this.dt));
    for (let at = 0; at < this.pages; at += 500)
      await this.functions.trackEvents({ events: events.slice(at, at + 500) });
    this.#sent.views = this.pages;
  }

  get #works(): (() => Promise<unknown>)[] {
    const { functions, connection } = this;
    const tag = `{${this.moves.partition}}`;
    const at = this.#at;
    return [
      async () => {
        const page = `https://rtl.example/news/${at % this.pages}.html`;
        const entry = ["url", page, "uui", `s${at}`, "dt", String(this.dt)];
        await connection.send(["XADD", `ST:TRACKER::${tag}::`, "*", ...entry], { routingKey: tag });
        this.#sent.views += 1;
      },
      () => functions.ingestEvents(),
      async () => {
        await functions.trackEvents({ events: [viewOf(at % this.pages, `t${at}`, this.dt)] });
        this.#sent.views += 1;
      },
      async () => {
        await functions.scanItem({ topic: "packages", subject: "s", item: `i${at}` });
        this.#sent.items += 1;
      },
      async () => {
        const id = await functions.enqueueTask({ queue: "q", task: '{"type":"t"}' });
        expect(this.#sent.tasks).not.toContain(id);
        this.#sent.tasks.add(id);
      },
      async () => {
        await this.#table.batch([{ path: `f/${at}.1.parquet`, layer: "l", sizeBytes: 1, maxTime: 1n }]);
        this.#sent.files += 1;
      },
    ];
  }

  /** Goes on until told to stop; any error but "the slot is being moved" fails it. */
  async run(isOver: () => boolean): Promise<void> {
    for (; !isOver(); this.#at += 1) {
      for (const each of this.#works) {
        await each().catch((error: unknown) => {
          expect(error).toBeInstanceOf(SlotMovingError);
          this.refused += 1;
        });
      }
    }
  }

  /** Traffic while something is done; what that answers. */
  async during<T>(action: () => Promise<T>): Promise<T> {
    let isOver = false;
    const running = this.run(() => isOver);
    try {
      return await action();
    } finally {
      isOver = true;
      await running;
    }
  }

  /** Everything that was done is there, once. */
  async check(): Promise<void> {
    const { functions } = this;
    let more = 5;
    await this.run(() => (more -= 1) < 0);
    while ((await functions.ingestEvents()).remaining === 1);
    const [owner] = await this.moves.ends();
    const tag = `{${this.moves.partition}}`;
    const open = `H:1MINUTE.OPEN:W:${tag}:${this.dt - (this.dt % MINUTE_MS)}:PG`;
    expect(Number(await owner.client.sendCommand(["HGET", open, sha1("rtl.example")]))).toBe(this.#sent.views);
    expect(await owner.client.sendCommand(["LLEN", `SELLER:${tag}s`]).catch(() => -1)).toBe(this.#sent.items);
    expect((await functions.listTasks({ queue: "q" }))[0]).toBe(this.#sent.tasks.size);
    const files = new Set<string>();
    let found = 0;
    for await (const { path } of this.#table.query({ after: 1n })) {
      files.add(path);
      found += 1;
    }
    expect([found, files.size]).toEqual([this.#sent.files, this.#sent.files]);
    expect(found).toBeGreaterThan(0);
  }
}

/** A name whose hash tag lies in a slot: the tool moves the lowest slots of a node, and asks for no names. */
export async function partitionIn(slot: number, { client }: ClusterNode): Promise<string> {
  for (let from = 0; ; from += 1000) {
    const names = Array.from({ length: 1000 }, (_, at) => `p${from + at}`);
    const slots = await Promise.all(names.map((name) => client.sendCommand(["CLUSTER", "KEYSLOT", `{${name}}`])));
    const at = slots.findIndex((each) => Number(each) === slot);
    if (at >= 0) return names[at]!;
  }
}

/** How to start the command line client that came with a server; undefined where there is none. */
export function cliOf({ path, name }: ServerBinary): string[] | undefined {
  const cli = name.replace("-server", "-cli");
  const beside = join(dirname(path), cli);
  if (existsSync(beside)) return [beside];
  // A server that was fetched has its own libraries, and so has its client.
  const root = resolve(dirname(path), "..", "root");
  const program = join(root, "usr", "bin", cli);
  if (!existsSync(program)) return undefined;
  for (const parent of ["lib", "usr/lib"]) {
    if (!existsSync(join(root, parent))) continue;
    for (const dir of readdirSync(join(root, parent)).filter((each) => each.includes("-linux-gnu"))) {
      const loader = readdirSync(join(root, parent, dir)).find((file) => /^ld(-linux|64).*\.so\.\d+$/.test(file));
      const libraries = ["lib", "usr/lib"].map((each) => join(root, each, dir)).join(":");
      if (loader !== undefined) return [join(root, parent, dir, loader), "--library-path", libraries, program];
    }
  }
  return undefined;
}

/** A Valkey server of version 9 or newer among those that scripts/fetch-servers.ts has fetched. */
export function fetchedValkey9(): ServerBinary | undefined {
  const folder = resolve(".hotpath", "servers");
  if (!existsSync(folder)) return undefined;
  return readdirSync(folder)
    .map((dir) => join(folder, dir, "bin", "valkey-server"))
    .filter((path) => existsSync(path))
    .map((path) => inspectServer(path))
    .find((server) => server !== undefined && Number(server.version.split(".")[0]) >= 9);
}
