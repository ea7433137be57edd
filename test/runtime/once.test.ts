/* A call that is repeated: what each function does then without ONCE, and that under ONCE it does nothing and answers the same. */
import { isDeepStrictEqual } from "node:util";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { readBundle } from "../../host/deploy/libraries";
import type { Step } from "../support/acl/step";
import { STEPS } from "../support/acl/steps";
import { fcall, loadLibrary, refusalOf } from "../support/functions";
import { openRaw, type RawConnection } from "../support/raw";
import { describeWithOwnServer, useServer } from "../support/server";
import { digest, event, NOON } from "../support/tracker";
import { until } from "../support/wait";

/**
 * What a repeat without ONCE does.
 * - `same answer`: nothing, and it answers the same
 * - `safe`: nothing twice, but it may answer something else, as it goes on where it was
 * - `once`: it counts twice, takes more work, or is refused though the call was made
 */
const REPEATED: Record<string, "same answer" | "safe" | "once"> = {
  track_events: "once",
  ingest_events: "safe",
  import_events: "safe",
  get_import: "same answer",
  forget_import: "safe",
  rotate_pg: "safe",
  rotate_ud: "safe",
  count_pg: "same answer",
  count_ud: "same answer",
  rank_pg: "same answer",
  range_pg: "same answer",
  range_ud: "same answer",
  get_document: "same answer",
  find_documents: "same answer",
  enrich_document: "same answer",
  abandon_enrichment: "safe",
  refresh_documents: "safe",
  expire_documents: "safe",
  identify_url: "same answer",
  identify_name: "same answer",
  configure_tracker: "same answer",
  get_tracker_config: "same answer",
  get_tracker_status: "same answer",
  get_tracker_delays: "same answer",
  get_tracker_memory: "same answer",
  get_carry: "same answer",
  put_carry: "safe",
  end_carry: "safe",
  get_devices: "same answer",
  tracker_lead: "same answer",
  tracker_done: "same answer",
  tracker_library: "same answer",
  scan_item: "once",
  ingest_scans: "safe",
  claim_notifications: "once",
  ack_notification: "once",
  fail_notification: "once",
  list_notifications: "same answer",
  retry_notification: "safe",
  configure_topic: "same answer",
  get_topic: "same answer",
  list_topics: "same answer",
  get_notifier_status: "same answer",
  notifier_library: "same answer",
  // A batch that deletes a file which it adds queues its drop again.
  patch_index: "once",
  get_merge_plan: "once",
  end_merge: "once",
  get_move_plan: "once",
  end_move: "once",
  get_drop_plan: "once",
  end_drop: "once",
  query_index: "same answer",
  get_entry: "same answer",
  list_databases: "same answer",
  list_tables: "same answer",
  list_folders: "same answer",
  get_table_status: "same answer",
  configure_table: "same answer",
  rebuild_index: "safe",
  metadata_library: "same answer",
  upsert_product: "safe",
  get_product: "same answer",
  remove_product: "once",
  find_products: "same answer",
  count_products: "same answer",
  recent_products: "same answer",
  get_history: "same answer",
  sync_links: "safe",
  mark_link: "once",
  get_link: "same answer",
  list_links: "same answer",
  configure_catalog: "same answer",
  get_catalog_config: "same answer",
  get_catalog_status: "same answer",
  // One with an ID is the same task.
  enqueue_task: "once",
  claim_task: "once",
  extend_task: "same answer",
  finish_task: "same answer",
  fail_task: "once",
  release_task: "once",
  cancel_task: "same answer",
  retry_task: "safe",
  get_task: "same answer",
  list_tasks: "same answer",
  get_queue_status: "same answer",
  list_queues: "same answer",
  define_task: "same answer",
  get_task_type: "same answer",
  list_task_types: "same answer",
  catalog_library: "same answer",
};

const BUNDLE = readBundle();
const LIBRARIES = BUNDLE.map(({ name, rated }) => ({ name, rated }));
const functions = BUNDLE.flatMap(({ rated }) => rated);
const writers = new Set(
  functions.filter(({ role, flags }) => role !== "reader" && !flags.includes("no-writes")).map(({ name }) => name),
);

/** Forms with keys do not take ONCE. */
const isNamed = ({ name, keys = [] }: Step): boolean => writers.has(name) && keys.length < 2;

it("is known of every function", () => {
  expect(Object.keys(REPEATED).sort()).toEqual(functions.map(({ name }) => name).sort());
});

describeWithOwnServer("a repeated call", () => {
  const server = useServer();
  const connections = new Map<2 | 3, RawConnection>();

  beforeAll(async () => {
    for (const { name } of BUNDLE) await loadLibrary(server.client, name);
    for (const protocol of [2, 3] as const) connections.set(protocol, await openRaw(server.port, protocol));
  });
  beforeEach(() => server.flush());

  /** A step as it is sent, with what the steps before it have answered. */
  function wordsOf(step: Step, replies: ReadonlyMap<string, unknown>): string[] {
    const args = typeof step.args === "function" ? step.args(replies) : step.args;
    if (step.as !== undefined) return [step.name, ...args.map(String)];
    const keys = step.keys ?? [];
    return ["FCALL", step.name, String(keys.length), ...keys, ...args.map(String)];
  }

  const send = (words: string[]): Promise<unknown> => server.client.sendCommand(words);
  const raw = (words: string[], protocol: 2 | 3 = 2): Promise<string> => connections.get(protocol)!.send(...words);

  describe.each(LIBRARIES)("of $name", ({ name: library, rated }) => {
    const steps = STEPS[library]!;

    it("under ONCE answers byte for byte what it answered, in both protocols, and changes nothing", async () => {
      const replies = new Map<string, unknown>();
      const named = new Set<string>();
      for (const [at, step] of steps.entries()) {
        const words = wordsOf(step, replies);
        if (step.as !== undefined || !isNamed(step)) {
          replies.set(step.name, await send(words));
          continue;
        }
        named.add(step.name);
        const once = [...words, "ONCE", `step ${at}`];
        const first = await raw(once);
        const before = await digest(server.client);
        expect(await raw(once), words.join(" ")).toBe(first);
        expect(await digest(server.client), words.join(" ")).toEqual(before);
        // What this reply would be in the other protocol: nil is written otherwise, all else of ours is the same.
        expect(await raw(once, 3)).toBe(first.replaceAll("$-1\r\n", "_\r\n"));
        replies.set(step.name, await send(once));
      }
      const writing = rated.filter(({ name }) => writers.has(name)).map(({ name }) => name);
      expect([...named].sort()).toEqual(writing.sort());
    });

    it("without ONCE does what the table says", async () => {
      const doubling = new Set<string>();
      const replies = new Map<string, unknown>();
      for (const [at, step] of steps.entries()) {
        const kind = (step.keys ?? []).length < 2 ? REPEATED[step.name] : undefined;
        const words = wordsOf(step, replies);
        if (kind === "same answer") {
          const first = await raw(words);
          const before = await digest(server.client);
          expect(await raw(words), words.join(" ")).toBe(first);
          expect(await digest(server.client), words.join(" ")).toEqual(before);
        } else if (kind === "once" && !doubling.has(step.name)) {
          // Tried on the side: what the steps so far have done is put back afterwards.
          const first = await raw(words);
          const before = await digest(server.client);
          const isAnswered = (await raw(words)) === first;
          if (!isAnswered || !isDeepStrictEqual(await digest(server.client), before)) doubling.add(step.name);
          await server.flush();
          replies.clear();
          for (const each of steps.slice(0, at)) replies.set(each.name, await send(wordsOf(each, replies)));
        }
        replies.set(step.name, await send(wordsOf(step, replies)));
      }
      const named = rated.filter(({ name }) => REPEATED[name] === "once").map(({ name }) => name);
      expect([...doubling].sort()).toEqual(named.sort());
    });
  });

  describe("of track_events", () => {
    const EVENT = event("http://a.example/x", "d", NOON);
    const track = (...more: string[]): Promise<unknown> =>
      fcall(server.client, "track_events", EVENT, "NOW", NOON, ...more);

    it("is refused under the text of another call, in whatever library, and does nothing", async () => {
      await track("ONCE", "a");
      const before = await digest(server.client);
      const other = event("http://a.example/y", "d", NOON);
      for (const [name, ...args] of [
        ["track_events", other, "NOW", String(NOON), "ONCE", "a"],
        ["track_events", EVENT, EVENT, "NOW", String(NOON), "ONCE", "a"],
        ["track_events", EVENT, "ONCE", "a"],
        ["define_task", "job", "ONCE", "a"],
        ["scan_item", "packages", "1", "A", "ONCE", "a"],
      ] as [string, ...string[]][])
        expect(await refusalOf(fcall(server.client, name, ...args)), name).toBe(
          "CONFLICT another call was made under ONCE 'a'; nothing was done",
        );
      expect(await digest(server.client)).toEqual(before);
    });

    it("is made again if it answered an error", async () => {
      const wrong = (): Promise<string | undefined> => refusalOf(track("NOW", "1", "ONCE", "a"));
      expect(await wrong()).toMatch(/^BADARG NOW is given twice/);
      await send(["SET", "H:TRACKER::::", "foreign"]);
      expect(await refusalOf(track("ONCE", "a"))).toMatch(/^CONFLICT/);
      await send(["DEL", "H:TRACKER::::"]);
      expect(await track("ONCE", "a")).toEqual(expect.arrayContaining(["accepted", 1]));
    });

    it("is refused if something else stands where its reply would be kept", async () => {
      await send(["HSET", "STR:ONCE::a::", "x", "y"]);
      expect(await refusalOf(track("ONCE", "a"))).toBe("CONFLICT STR:ONCE::a:: holds another type than GET is for");
      expect(await send(["DBSIZE"])).toBe(1);
    });

    it("is known within its partition, and by a text with a colon too", async () => {
      const routed = (partition: string, text: string): Promise<unknown> =>
        send(["FCALL", "track_events", "1", partition, EVENT, "NOW", String(NOON), "ONCE", text]);
      for (const partition of ["{a}", "{b}"]) {
        const first = await routed(partition, "x:1");
        expect(await routed(partition, "x:1")).toEqual(first);
        expect(await send(["HLEN", `H:1MINUTE.OPEN:W:${partition}:${NOON}:PG`])).toBe(1);
        expect(await send(["HVALS", `H:1MINUTE.OPEN:W:${partition}:${NOON}:PG`])).toEqual(["1"]);
      }
      const names = (await send(["KEYS", "STR:*"])) as string[];
      expect(names.every((name) => name.split(":").length === 6)).toBe(true);
    });

    it("runs once the reply is no longer kept, which ONCE_FOR says", async () => {
      await track("ONCE", "a");
      expect(await send(["PTTL", "STR:ONCE::a::"])).toBeGreaterThan(590_000);
      await track("ONCE_FOR", "1000", "ONCE", "b");
      const ttl = (await send(["PTTL", "STR:ONCE::b::"])) as number;
      expect(ttl).toBeLessThanOrEqual(1000);
      await until(async () => (await send(["EXISTS", "STR:ONCE::b::"])) === 0);
      await track("ONCE_FOR", "1000", "ONCE", "b");
      expect(await send(["HVALS", `H:1MINUTE.OPEN:W::${NOON}:PG`])).toEqual(["3"]);
    });

    it("takes text of 1 to 64 bytes, and ONCE_FOR only beside it", async () => {
      for (const text of ["", "x".repeat(65)])
        expect(await refusalOf(track("ONCE", text))).toMatch(/^BADARG ONCE must be text of 1 to 64 bytes/);
      expect(await refusalOf(track("ONCE_FOR", "1000"))).toBe("BADARG ONCE_FOR is given without ONCE");
      for (const ms of ["999", "3600001"])
        expect(await refusalOf(track("ONCE", "a", "ONCE_FOR", ms))).toMatch(/^BADARG ONCE_FOR must be an integer/);
      await track("once", "\0\xff".repeat(16));
      expect(await refusalOf(fcall(server.client, "get_tracker_status", "ONCE", "a"))).toMatch(
        /^BADARG unknown option 'ONCE'/,
      );
    });
  });

  describe("of a claim", () => {
    const MB = 1024 * 1024;
    const task = JSON.stringify({ type: "job", note: "x".repeat(60_000) });

    async function claimed(more: string[]): Promise<string> {
      await fcall(server.client, "enqueue_task", "q", task);
      return (await fcall(server.client, "claim_task", "q", ...more)) as string;
    }

    it("is given the same task, while another call is given the next one", async () => {
      await fcall(server.client, "define_task", "job");
      const first = await claimed(["ONCE", "a"]);
      const next = await claimed(["ONCE", "b"]);
      expect(await fcall(server.client, "claim_task", "q", "ONCE", "a")).toBe(first);
      expect(next).not.toBe(first);
      const { id, token } = JSON.parse(first) as { id: string; token: string };
      const fail = (): Promise<unknown> => fcall(server.client, "fail_task", id, "TOKEN", token, "ONCE", "c");
      expect(await fail()).toBe(1);
      expect(await fail()).toBe(1);
    });

    it("is refused, and not made again, where its reply was too large to be kept", async () => {
      const items = Array.from({ length: 1000 }, (_, at) => `${at}`.padEnd(1024, '"'));
      await Promise.all(items.map((item) => fcall(server.client, "scan_item", "packages", "1", item, "NOW", NOON)));
      const claim = (): Promise<unknown> =>
        fcall(server.client, "claim_notifications", "packages", "NOW", NOON + 3_600_000, "ONCE", "a");
      const [, json] = (await claim()) as [number, string];
      expect(json.length).toBeGreaterThan(MB);
      const before = await digest(server.client);
      expect(await refusalOf(claim())).toBe(
        "CONFLICT the call under ONCE 'a' was made before, and its reply was too large to be kept",
      );
      expect(await digest(server.client)).toEqual(before);
    });

    it("keeps replies for 30 seconds where they take much memory, and is refused where they take too much", async () => {
      // What was kept so far is forgotten with the library.
      await loadLibrary(server.client, "catalog");
      await fcall(server.client, "define_task", "job");
      const ttl = (text: string): Promise<unknown> => send(["PTTL", `STR:ONCE::${text}::`]);
      const half = Math.ceil((64 * MB) / 60_000);
      for (let at = 0; at < half; at += 1) await claimed(["ONCE", `a${at}`]);
      expect(await ttl("a0")).toBeGreaterThan(500_000);
      await claimed(["ONCE", "late"]);
      expect(await ttl("late")).toBeLessThanOrEqual(30_000);
      let refused: string | undefined;
      let calls = 0;
      for (; refused === undefined && calls < 2 * half; calls += 1)
        refused = await refusalOf(claimed(["ONCE", `b${calls}`]));
      expect(refused).toMatch(/^LIMIT what is kept for repeated calls takes 134217728 bytes/);
      // What was made is answered all the same, and a call without ONCE is made.
      expect(await claimed(["ONCE", "late"])).toContain('"job"');
      expect(await claimed([])).toContain('"job"');
    });
  });
});
