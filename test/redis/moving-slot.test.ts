import { beforeAll, beforeEach, expect, it } from "vitest";
import type { HotpathFunctions } from "../../host/contract";
import { functionsOf } from "../../host/deploy/client";
import { deploy } from "../../host/deploy/deploy";
import { readBundle } from "../../host/deploy/libraries";
import { TableIndex } from "../../host/metadata/table-index";
import { connect, type Connection } from "../../host/redis/connection";
import { SlotMovingError } from "../../host/runtime/errors";
import { useCluster, type ClusterNode } from "../support/cluster";
import { describeWithOwnServer } from "../support/server";
import { sha1 } from "../support/tracker";

const TAG = "{rtl}";
const PAGES = 6000;
const MINUTE_MS = 60_000;
/** So many keys at once, as `redis-cli --cluster reshard` has it. */
const KEYS_A_STEP = 10;

describeWithOwnServer("a slot that is being moved", () => {
  const cluster = useCluster(2);
  let connection: Connection;
  let functions: HotpathFunctions;
  let slot: string;

  beforeAll(async () => {
    connection = await connect(cluster.url);
    await deploy(connection, { libraries: readBundle() });
    functions = functionsOf(connection, { partition: "rtl" });
    slot = String(await cluster.nodes[0]!.client.sendCommand(["CLUSTER", "KEYSLOT", TAG]));
    return () => connection.close();
  });
  beforeEach(async () => void (await Promise.all(cluster.nodes.map(({ client }) => client.sendCommand(["FLUSHALL"])))));

  const setSlot = ({ client }: ClusterNode, ...state: string[]) =>
    client.sendCommand(["CLUSTER", "SETSLOT", slot, ...state]);
  const idOf = async ({ client }: ClusterNode) => String(await client.sendCommand(["CLUSTER", "MYID"]));
  const keysIn = async ({ client }: ClusterNode) =>
    Number(await client.sendCommand(["CLUSTER", "COUNTKEYSINSLOT", slot]));

  /** The node that has the slot, and the other one. */
  async function ends(): Promise<[from: ClusterNode, to: ClusterNode]> {
    const [a, b] = cluster.nodes as [ClusterNode, ClusterNode];
    const isHere = await a.client.sendCommand(["EXISTS", TAG]).then(
      () => true,
      () => false,
    );
    return isHere ? [a, b] : [b, a];
  }

  async function begin(from: ClusterNode, to: ClusterNode): Promise<void> {
    await setSlot(to, "IMPORTING", await idOf(from));
    await setSlot(from, "MIGRATING", await idOf(to));
  }

  /** Moves some keys; fails with "Target key exists" where a function has written on the node that takes the slot. */
  async function step(from: ClusterNode, to: ClusterNode): Promise<number> {
    const command = ["CLUSTER", "GETKEYSINSLOT", slot, String(KEYS_A_STEP)];
    const keys = (await from.client.sendCommand(command)) as unknown as string[];
    const address = ["127.0.0.1", String(to.server.port)];
    if (keys.length > 0) await from.client.sendCommand(["MIGRATE", ...address, "", "0", "60000", "KEYS", ...keys]);
    return keys.length;
  }

  async function end(from: ClusterNode, to: ClusterNode): Promise<void> {
    const id = await idOf(to);
    await setSlot(to, "NODE", id);
    await setSlot(from, "NODE", id);
  }

  /** As the tool does it. */
  async function move(from: ClusterNode, to: ClusterNode): Promise<number> {
    await begin(from, to);
    let moved = 0;
    for (let keys = -1; keys !== 0; moved += keys) keys = await step(from, to);
    await end(from, to);
    return moved;
  }

  const event = (page: number, device: string, dt: number) =>
    JSON.stringify({ url: `https://rtl.example/news/${page}.html`, uui: device, dt });

  it("refuses every client's call, whichever node it goes to and whatever its routing key is, and does nothing", async () => {
    const dt = Date.now();
    const call = (key: string) => ["FCALL", "track_events", "1", key, event(1, "d", dt)];
    const [from, to] = await ends();
    await from.client.sendCommand(call(TAG));
    const keys = await keysIn(from);
    await begin(from, to);
    // A key that exists lets the call in; the other one is sent on.
    const existing = String(await from.client.sendCommand(["CLUSTER", "GETKEYSINSLOT", slot, "1"]));
    await expect(from.client.sendCommand(call(existing))).rejects.toThrow(
      /^TRYAGAIN the slot of \{rtl\} is being moved/,
    );
    await expect(from.client.sendCommand(call(TAG))).rejects.toThrow(/^ASK /);
    const asked = [to.client.sendCommand(["ASKING"]), to.client.sendCommand(call(TAG))];
    await expect(Promise.all(asked)).rejects.toThrow(/^TRYAGAIN the slot of \{rtl\} is being moved/);
    await expect(functions.trackEvents({ events: [event(1, "d", dt)] })).rejects.toBeInstanceOf(SlotMovingError);
    await expect(functions.getTrackerStatus()).rejects.toBeInstanceOf(SlotMovingError);
    expect([await keysIn(from), await keysIn(to)]).toEqual([keys, 0]);
    while ((await step(from, to)) > 0);
    await end(from, to);
    expect(await functions.trackEvents({ events: [event(1, "d", dt)] })).toMatchObject({ accepted: 1 });
  });

  it("does not believe an answer of a moment ago where the routing key may exist", async () => {
    const dt = Date.now();
    const call = (key: string) => ["FCALL", "track_events", "1", key, event(1, "d", dt)];
    const [from, to] = await ends();
    await from.client.sendCommand(call(TAG));
    const existing = String(await from.client.sendCommand(["CLUSTER", "GETKEYSINSLOT", slot, "1"]));
    // One write, so that the server reads them in one turn, microseconds apart.
    const replies = await Promise.allSettled(
      [
        ["CLUSTER", "SETSLOT", slot, "STABLE"],
        call(existing),
        ["CLUSTER", "SETSLOT", slot, "MIGRATING", await idOf(to)],
        call(existing),
        call(TAG),
        ["CLUSTER", "SETSLOT", slot, "STABLE"],
      ].map((command) => from.client.sendCommand(command)),
    );
    const words = replies.map((each) => (each.status === "fulfilled" ? "done" : String(each.reason).slice(0, 20)));
    expect(words).toEqual([
      "done",
      "done",
      "done",
      expect.stringContaining("TRYAGAIN"),
      expect.stringContaining("ASK"),
      "done",
    ]);
    const open = `H:1MINUTE.OPEN:W:${TAG}:${dt - (dt % MINUTE_MS)}:PG`;
    expect(Number(await from.client.sendCommand(["HGET", open, sha1("rtl.example")]))).toBe(2);
  });

  it("refuses forms whose keys are values, before anything is written", async () => {
    // Keys of one slot are let in by the server; any others it refuses by itself.
    const nodes = cluster.nodes.map(({ client }) => client);
    const send = async (command: string[]) => {
      const replies = await Promise.allSettled(nodes.map((node) => node.sendCommand(command)));
      return replies.map((each) => (each.status === "fulfilled" ? "done" : String((each.reason as Error).message)));
    };
    const entry = JSON.stringify({
      cmd: "ADD",
      database: "d",
      table: "t",
      layer: "l",
      path: "f/a.1.parquet",
      size_bytes: 1,
    });
    const forms = [
      ["patch_index", "2", TAG, `x${TAG}`, entry],
      ["get_merge_plan", "6", TAG, TAG, TAG, TAG, TAG, TAG],
      ["end_merge", "6", TAG, TAG, TAG, TAG, TAG, TAG],
    ];
    for (const form of forms) {
      const refusal = `BADARG ${form[0]} with more than one key is for a single server; in a cluster it takes one routing key`;
      const replies = await send(["FCALL", ...form]);
      expect(replies.filter((each) => !each.startsWith("MOVED"))).toEqual([refusal]);
    }
    const apart = await send(["FCALL", "patch_index", "2", "[[10,20,1]]", '{"l":{"ttl_sec":0}}', entry]);
    expect(apart.every((each) => each.startsWith("CROSSSLOT"))).toBe(true);
    expect(await Promise.all(nodes.map((node) => node.sendCommand(["DBSIZE"])))).toEqual([0, 0]);
  });

  it("loses nothing and counts nothing twice, there and back, with more than 10,000 keys and all libraries at work", async () => {
    const dt = Date.now();
    const table = new TableIndex(connection, { database: "db", table: "t", partition: "rtl" });
    await table.configure({ merge: [{ timeoutSeconds: 0, maxBytes: 10 }], layers: [{ name: "l" }] });
    await functions.defineTask({ type: "t" });
    const events = Array.from({ length: PAGES }, (_, page) => event(page, "d", dt));
    for (let at = 0; at < PAGES; at += 500) await functions.trackEvents({ events: events.slice(at, at + 500) });
    const sent = { views: PAGES, items: 0, tasks: new Set<string>(), files: 0 };
    const routing = { routingKey: TAG };
    const entryOf = (at: number) =>
      ["url", `https://rtl.example/news/${at % PAGES}.html`, "uui", `s${at}`, "dt", String(dt)] as const;
    let at = 0;
    const works: (() => Promise<unknown>)[] = [
      async () => {
        await connection.send(["XADD", `ST:TRACKER::${TAG}::`, "*", ...entryOf(at)], routing);
        sent.views += 1;
      },
      () => functions.ingestEvents(),
      async () => {
        await functions.trackEvents({ events: [event(at % PAGES, `t${at}`, dt)] });
        sent.views += 1;
      },
      async () => {
        await functions.scanItem({ topic: "packages", subject: "s", item: `i${at}` });
        sent.items += 1;
      },
      async () => {
        const id = await functions.enqueueTask({ queue: "q", task: '{"type":"t"}' });
        expect(sent.tasks).not.toContain(id);
        sent.tasks.add(id);
      },
      async () => {
        await table.batch([{ path: `f/${at}.1.parquet`, layer: "l", sizeBytes: 1, maxTime: 1n }]);
        sent.files += 1;
      },
    ];
    const work = async (isOver: () => boolean) => {
      for (; !isOver(); at += 1) {
        for (const each of works) {
          await each().catch((error: unknown) => expect(error).toBeInstanceOf(SlotMovingError));
        }
      }
    };
    for (const direction of ["there", "back"]) {
      const [from, to] = await ends();
      let isOver = false;
      const working = work(() => isOver);
      expect(await move(from, to), direction).toBeGreaterThan(10_000);
      isOver = true;
      await working;
      expect(await keysIn(from), direction).toBe(0);
    }
    await work(() => at % 5 === 0);
    while ((await functions.ingestEvents()).remaining === 1);
    const [owner] = await ends();
    const open = `H:1MINUTE.OPEN:W:${TAG}:${dt - (dt % MINUTE_MS)}:PG`;
    expect(Number(await owner.client.sendCommand(["HGET", open, sha1("rtl.example")]))).toBe(sent.views);
    expect(await owner.client.sendCommand(["LLEN", `SELLER:${TAG}s`]).catch(() => -1)).toBe(sent.items);
    expect((await functions.listTasks({ queue: "q" }))[0]).toBe(sent.tasks.size);
    let files = 0;
    for await (const file of table.query({ after: 1n })) files += file.path === "" ? 0 : 1;
    expect(files).toBe(sent.files);
    expect(sent.files).toBeGreaterThan(0);
  });
});
