import { beforeAll, beforeEach, expect, it } from "vitest";
import type { HotpathFunctions } from "../../host/contract";
import { functionsOf } from "../../host/deploy/client";
import { deploy } from "../../host/deploy/deploy";
import { readBundle } from "../../host/deploy/libraries";
import { connect, type Connection } from "../../host/redis/connection";
import { SlotMovingError } from "../../host/runtime/errors";
import { useCluster } from "../support/cluster";
import { SlotMoves, SlotTraffic, viewOf } from "../support/moving-slot";
import { describeWithOwnServer } from "../support/server";
import { sha1 } from "../support/tracker";

const TAG = "{rtl}";
const PAGES = 6000;
const MINUTE_MS = 60_000;

describeWithOwnServer("a slot that is being moved", () => {
  const cluster = useCluster(2);
  let connection: Connection;
  let functions: HotpathFunctions;
  let slot: string;
  let moves: SlotMoves;

  beforeAll(async () => {
    connection = await connect(cluster.url);
    await deploy(connection, { libraries: readBundle() });
    functions = functionsOf(connection, { partition: "rtl" });
    slot = String(await cluster.nodes[0]!.client.sendCommand(["CLUSTER", "KEYSLOT", TAG]));
    moves = new SlotMoves(cluster, "rtl", slot);
    return () => connection.close();
  });
  beforeEach(async () => void (await Promise.all(cluster.nodes.map(({ client }) => client.sendCommand(["FLUSHALL"])))));

  it("refuses every client's call, whichever node it goes to and whatever its routing key is, and does nothing", async () => {
    const dt = Date.now();
    const call = (key: string) => ["FCALL", "track_events", "1", key, viewOf(1, "d", dt)];
    const [from, to] = await moves.ends();
    await from.client.sendCommand(call(TAG));
    const keys = await moves.keysIn(from);
    await moves.begin(from, to);
    // A key that exists lets the call in; the other one is sent on.
    const existing = String(await from.client.sendCommand(["CLUSTER", "GETKEYSINSLOT", slot, "1"]));
    await expect(from.client.sendCommand(call(existing))).rejects.toThrow(
      /^TRYAGAIN the slot of \{rtl\} is being moved/,
    );
    await expect(from.client.sendCommand(call(TAG))).rejects.toThrow(/^ASK /);
    const asked = [to.client.sendCommand(["ASKING"]), to.client.sendCommand(call(TAG))];
    await expect(Promise.all(asked)).rejects.toThrow(/^TRYAGAIN the slot of \{rtl\} is being moved/);
    await expect(functions.trackEvents({ events: [viewOf(1, "d", dt)] })).rejects.toBeInstanceOf(SlotMovingError);
    await expect(functions.getTrackerStatus()).rejects.toBeInstanceOf(SlotMovingError);
    expect([await moves.keysIn(from), await moves.keysIn(to)]).toEqual([keys, 0]);
    while ((await moves.step(from, to, 10)) > 0);
    await moves.end(from, to);
    expect(await functions.trackEvents({ events: [viewOf(1, "d", dt)] })).toMatchObject({ accepted: 1 });
  });

  it("does not believe an answer of a moment ago where the routing key may exist", async () => {
    const dt = Date.now();
    const call = (key: string) => ["FCALL", "track_events", "1", key, viewOf(1, "d", dt)];
    const [from, to] = await moves.ends();
    await from.client.sendCommand(call(TAG));
    const existing = String(await from.client.sendCommand(["CLUSTER", "GETKEYSINSLOT", slot, "1"]));
    const migrating = ["CLUSTER", "SETSLOT", slot, "MIGRATING", await moves.idOf(to)];
    // In one transaction they follow each other within microseconds.
    const transaction = [
      ["MULTI"],
      ["FCALL", "identify_url", "1", TAG, "https://rtl.example/"],
      migrating,
      call(existing),
      ["CLUSTER", "SETSLOT", slot, "STABLE"],
      ["EXEC"],
    ];
    const replies = await Promise.all(transaction.map((command) => from.client.sendCommand(command)));
    const [identified, begun, counted, ended] = replies.at(-1) as unknown as unknown[];
    expect([begun, ended]).toEqual(["OK", "OK"]);
    expect(identified).toEqual(expect.any(Array));
    expect(String(counted)).toContain("TRYAGAIN");
    const open = `H:1MINUTE.OPEN:W:${TAG}:${dt - (dt % MINUTE_MS)}:PG`;
    expect(Number(await from.client.sendCommand(["HGET", open, sha1("rtl.example")]))).toBe(1);
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
    const traffic = new SlotTraffic(connection, moves, PAGES);
    await traffic.prepare();
    for (const direction of ["there", "back"]) {
      const [from, to] = await moves.ends();
      expect(await traffic.during(() => moves.move(from, to)), direction).toBeGreaterThan(10_000);
      expect(await moves.keysIn(from), direction).toBe(0);
    }
    await traffic.check();
  });
});
