/* Slots that are moved under traffic, as long as operators take and with their tools: `npm run test:cluster`. */
import { execFile } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { beforeAll, describe, expect, inject, it } from "vitest";
import { deploy } from "../../host/deploy/deploy";
import { readBundle } from "../../host/deploy/libraries";
import type { ServerBinary } from "../../host/embedded/embedded";
import { connect, type Connection } from "../../host/redis/connection";
import { useCluster } from "../support/cluster";
import { cliOf, fetchedValkey9, partitionIn, SlotMoves, SlotTraffic } from "../support/moving-slot";
import { describeWithOwnServer } from "../support/server";
import { until } from "../support/wait";

const run = promisify(execFile);
/** So many pages leave more than 10,000 keys. */
const PAGES = 6000;
const MINUTE_MS = 60_000;
const TIMEOUT_MS = 240_000;

const redis = inject("redis");
const own: ServerBinary | undefined =
  redis.mode === "own" && redis.program.kind === "binary" ? redis.program : undefined;
const isNine = (server: ServerBinary | undefined) =>
  server?.name === "valkey-server" && Number(server.version.split(".")[0]) >= 9;
const valkey9 = isNine(own) ? own : fetchedValkey9();
const cli = own === undefined ? undefined : cliOf(own);

function useMovedSlot(program?: ServerBinary) {
  const cluster = useCluster(2, { program });
  let connection: Connection;
  let moves: SlotMoves;

  beforeAll(async () => {
    connection = await connect(cluster.url);
    await deploy(connection, { libraries: readBundle() });
    moves = new SlotMoves(cluster, await partitionIn(0, cluster.nodes[0]!), "0");
    return () => connection.close();
  });

  /** Moves the slot there and back under traffic, and checks what came of it. */
  async function thereAndBack(pages: number, move: (moves: SlotMoves) => Promise<unknown>): Promise<SlotTraffic> {
    await Promise.all(cluster.nodes.map(({ client }) => client.sendCommand(["FLUSHALL"])));
    const traffic = new SlotTraffic(connection, moves, pages);
    await traffic.prepare();
    for (const direction of ["there", "back"]) {
      const [from] = await moves.ends();
      await traffic.during(() => move(moves));
      const [owner] = await moves.ends();
      expect(owner, direction).not.toBe(from);
      expect(await moves.keysIn(from), direction).toBe(0);
    }
    await traffic.check();
    return traffic;
  }

  /** Calls that the nodes have refused because of a slot that moves, since they started; clients made them again. */
  async function refusals(): Promise<number> {
    const found = await Promise.all(cluster.nodes.map(({ client }) => client.sendCommand(["INFO", "errorstats"])));
    const counts = found.flatMap((info) => [...String(info).matchAll(/errorstat_(?:ASK|TRYAGAIN):count=(\d+)/g)]);
    return counts.reduce((sum, [, count]) => sum + Number(count), 0);
  }

  return { cluster, thereAndBack, refusals };
}

describeWithOwnServer("a slot that is moved by hand or by the server's own tool", () => {
  const { cluster, thereAndBack, refusals } = useMovedSlot();

  it(
    "loses nothing and counts nothing twice where a few keys are moved every 50 ms, for a minute",
    async () => {
      const traffic = await thereAndBack(200, async (moves) => {
        const [from, to] = await moves.ends();
        const endMs = Date.now() + MINUTE_MS / 2;
        await moves.begin(from, to);
        while ((await moves.step(from, to, 3)) > 0 || Date.now() < endMs) await delay(50);
        await moves.end(from, to);
      });
      expect(traffic.refused).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );

  it.skipIf(cli === undefined)(
    `lets --cluster reshard finish with more than 10,000 keys, there and back${cli === undefined ? " (no redis-cli came with the server)" : ""}`,
    async () => {
      const before = await refusals();
      await thereAndBack(PAGES, async (moves) => {
        const [from, to] = await moves.ends();
        expect(await moves.keysIn(from)).toBeGreaterThan(10_000);
        const ends = ["--cluster-from", await moves.idOf(from), "--cluster-to", await moves.idOf(to)];
        const address = `127.0.0.1:${cluster.nodes[0]!.server.port}`;
        const [program, ...start] = cli!;
        const args = [...start, "--cluster", "reshard", address, ...ends, "--cluster-slots", "1", "--cluster-yes"];
        const { stdout } = await run(program!, args);
        expect(stdout).toMatch(/Moving slot 0 from/);
        expect(stdout).not.toMatch(/ERR|BUSYKEY|exists/);
        const check = await run(program!, [...start, "--cluster", "check", address]);
        expect(check.stdout).toMatch(/All 16384 slots covered/);
      });
      expect(await refusals()).toBeGreaterThan(before);
    },
    TIMEOUT_MS,
  );
});

const reason = valkey9 === undefined ? " (skipped: npx tsx scripts/fetch-servers.ts fetches Valkey 9)" : "";
describe.skipIf(valkey9 === undefined)(`Valkey 9${reason}`, () => {
  const { thereAndBack, refusals } = useMovedSlot(valkey9);

  it(
    "hands over a slot whole by CLUSTER MIGRATESLOTS, there and back, with more than 10,000 keys",
    async () => {
      await thereAndBack(PAGES, async (moves) => {
        const [from, to] = await moves.ends();
        expect(await moves.keysIn(from)).toBeGreaterThan(10_000);
        await from.client.sendCommand([
          ...["CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", moves.slot, moves.slot],
          ...["NODE", await moves.idOf(to)],
        ]);
        await until(async () => (await moves.ends())[0] === to, { timeoutMs: MINUTE_MS, what: "the slot to be moved" });
        await until(async () => (await moves.keysIn(from)) === 0, { timeoutMs: MINUTE_MS, what: "the keys to go" });
      });
    },
    TIMEOUT_MS,
  );

  it(
    "refuses calls while a slot is moved key by key, there and back",
    async () => {
      const before = await refusals();
      await thereAndBack(PAGES, async (moves) => {
        const [from, to] = await moves.ends();
        return moves.move(from, to);
      });
      expect(await refusals()).toBeGreaterThan(before);
    },
    TIMEOUT_MS,
  );
});
