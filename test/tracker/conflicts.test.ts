/*
 * Keys that hold something else. Each call is made once on a good database, to see which keys there are before and
 * after it; then once more for each of them with a foreign value in its place. Where the call needs the key, it is
 * refused with CONFLICT and the key's name before anything is written, and works again once the key is as it was.
 */
import { isDeepStrictEqual as isEqual } from "node:util";
import { describe, expect, it } from "vitest";
import {
  contents,
  DAY,
  digest,
  digestOfValues,
  event,
  HOUR,
  MINUTE,
  NOON,
  restore,
  sha1,
  takeSnapshot,
  useTracker,
} from "../support/tracker";
import { refusalOf, type Argument } from "../support/functions";

const tracker = useTracker();

type Call = [name: string, ...args: Argument[]];

interface Scenario {
  what: string;
  /** Calls and commands that make the database. */
  given: Call[];
  call: Call;
  /**
   * A call that works off a backlog ends where a foreign key stops it, with what it has done; the next one is refused.
   * At most this many calls may do something before.
   */
  mayDo?: number;
}

const PAGE = "http://a.example/s/x";
const NOW = NOON + 2 * MINUTE;
const media = { audio: "a", video: "v", podcast: "p" };
const track = (nowMs: number, ...events: string[]): Call => ["track_events", ...events, "NOW", nowMs];
const entry = (path: string, at: number): Call => [
  "XADD",
  "ST:TRACKER::::",
  "*",
  "url",
  `http://a.example${path}`,
  "uui",
  "d",
  "dt",
  String(at),
];
/** Sources of every tier: two minutes in each window, two windows in each tier above, and a second page in one of them. */
const LATER = NOON + 4 * HOUR;
const history: Call = track(
  LATER,
  ...[0, 1, 6, 65].map((minutes) => event(PAGE, "d", NOON + minutes * MINUTE)),
  event("http://a.example/t/y", "e", NOON, { audio: "a" }),
);
const rotations = (name: string, ...tiers: string[]): Call[] =>
  tiers.map((tier) => [name, "TIER", tier, "LIMIT", 10_000, "NOW", LATER]);

const enriching: Call = ["configure_tracker", "ENRICH", 1];
const DEEP = "http://a.example/s/t/u/v/x";
const DEEP_ID = sha1("a.example/s/t/u/v/x");

/** The names of the functions and nothing else are in lower case. */
const isFunction = ([name]: Call): boolean => name === name.toLowerCase();
const send = ([name, ...args]: Call): Promise<unknown> =>
  isFunction([name]) ? tracker.call(name, ...args) : tracker.client.sendCommand([name, ...args.map(String)]);

const WRITERS: Scenario[] = [
  { what: "track_events: the first event of all", given: [], call: track(NOW, event(PAGE, "d", NOON, media), "{") },
  { what: "track_events: one event without media", given: [], call: track(NOW, event(PAGE, "d", NOON)) },
  {
    what: "track_events: a page that was seen in its minute",
    given: [track(NOW, event(PAGE, "d", NOON))],
    call: track(NOW, event(PAGE, "e", NOON + 1)),
  },
  {
    what: "track_events: the same, in a batch",
    given: [track(NOW, event(PAGE, "d", NOON))],
    call: track(NOW, event(PAGE, "e", NOON + 1), event(PAGE, "f", NOON + 2)),
  },
  {
    what: "track_events: a page that was seen in the minute before",
    given: [track(NOW, event(PAGE, "d", NOON))],
    call: track(NOW, event(PAGE, "e", NOON + MINUTE)),
  },
  {
    what: "track_events: a new page of a section that was seen",
    given: [track(NOW, event(PAGE, "d", NOON))],
    call: track(NOW, event("http://a.example/s/y", "e", NOON + 1)),
  },
  {
    what: "track_events: a new section of a website that was seen",
    given: [track(NOW, event(PAGE, "d", NOON))],
    call: track(NOW, event("http://a.example/t/y", "e", NOON + 1)),
  },
  {
    what: "track_events: media on a page that was seen",
    given: [track(NOW, event(PAGE, "d", NOON, media))],
    call: track(NOW, event(PAGE, "e", NOON + 1, media)),
  },
  {
    what: "track_events: a late event",
    given: [history, ...rotations("rotate_pg", "5MINUTES"), ...rotations("rotate_ud", "5MINUTES")],
    call: track(LATER, event(PAGE, "late", NOON + 1, { audio: "a" })),
  },
  {
    what: "track_events: a batch over many minutes, on a table of hosts",
    given: [["configure_tracker", "HOSTS", '{"a.example":"a"}'], track(NOW, event(PAGE, "d", NOON))],
    call: track(
      NOW,
      event(PAGE, "e", NOON),
      event(PAGE, "e", NOON - MINUTE),
      event(PAGE, "e", NOON - HOUR),
      event("http://b.example/", "e", NOON),
    ),
  },
  {
    what: "ingest_events",
    given: [entry("/s/x", NOON), entry("/s/y", NOON), entry("/s/z", 5)],
    call: ["ingest_events", "NOW", NOW],
  },
  {
    what: "ingest_events, trimming",
    given: [["configure_tracker", "MAXLEN", 0], ...Array.from({ length: 150 }, () => entry("/s/x", NOON))],
    call: ["ingest_events", "LIMIT", 120, "NOW", NOW],
  },
  {
    what: "ingest_events, more than a thousand",
    given: [...Array.from({ length: 1000 }, () => entry("/s/x", NOON)), entry("/s/y", NOON + MINUTE)],
    call: ["ingest_events", "LIMIT", 10_000, "NOW", NOW],
    mayDo: 1,
  },
  ...["rotate_pg", "rotate_ud"].flatMap((name): Scenario[] => [
    {
      what: `${name}: five minutes`,
      given: [history],
      call: [name, "TIER", "5MINUTES", "LIMIT", 10_000, "NOW", LATER],
      mayDo: 1,
    },
    {
      what: `${name}: ten minutes`,
      given: [history, ...rotations(name, "5MINUTES")],
      call: [name, "TIER", "10MINUTES", "LIMIT", 10_000, "NOW", LATER],
      mayDo: 1,
    },
    {
      what: `${name}: an hour`,
      given: [history, ...rotations(name, "5MINUTES", "10MINUTES")],
      call: [name, "TIER", "1HOUR", "LIMIT", 10_000, "NOW", LATER],
      mayDo: 1,
    },
    {
      what: `${name}: three hours`,
      given: [history, ...rotations(name, "5MINUTES", "10MINUTES", "1HOUR")],
      call: [name, "TIER", "3HOURS", "LIMIT", 10_000, "NOW", LATER],
      mayDo: 1,
    },
    {
      what: `${name}: one dimension`,
      given: [history],
      call: [name, "TIER", "5MINUTES", "DIMENSION", "A", "LIMIT", 10_000, "NOW", LATER],
      mayDo: 1,
    },
    {
      what: `${name}: everything that is due`,
      given: [history],
      call: [name, "LIMIT", 10_000, "NOW", LATER],
      mayDo: 1,
    },
    {
      what: `${name}: late events, into windows that are merged`,
      given: [
        history,
        [name, "LIMIT", 10_000, "NOW", LATER],
        track(LATER, event(PAGE, "late", NOON + MINUTE), event(PAGE, "late", NOON + 125 * MINUTE)),
      ],
      call: [name, "LIMIT", 10_000, "NOW", LATER],
      mayDo: 1,
    },
  ]),
  {
    what: "configure_tracker",
    given: [["configure_tracker", "HOSTS", '{"a.example":"a"}', "MAXLEN", 7]],
    call: [
      "configure_tracker",
      "HOSTS",
      '{"b.example":"b"}',
      "UNKNOWN",
      "other",
      "MAXLEN",
      5,
      "DOCUMENT_DAYS",
      9,
      "SERIES_FINE_DAYS",
      9,
      "SERIES_COARSE_DAYS",
      9,
      "ENRICH",
      1,
      "REFRESH_DAYS",
      9,
    ],
  },
  {
    what: "configure_tracker, for the first time",
    given: [],
    call: ["configure_tracker", "HOSTS", '{"b.example":"b"}', "MAXLEN", 5],
  },
  {
    what: "configure_tracker: another naming of websites, with views in open windows",
    given: [track(NOW, event(PAGE, "d", NOON))],
    call: ["configure_tracker", "UNKNOWN", "other"],
  },
  { what: "track_events: a new page, announced", given: [enriching], call: track(NOW, event(DEEP, "d", NOON)) },
  {
    what: "track_events: a page that a new table of hosts moves, and one that is older than known",
    given: [
      track(NOW, event(PAGE, "d", NOON), event("http://b.example/s/x", "d", NOON)),
      ["configure_tracker", "HOSTS", '{"a.example":"new"}'],
    ],
    call: track(NOW, event(PAGE, "d", NOON + MINUTE), event("http://b.example/s/x", "d", NOON - MINUTE)),
  },
  {
    what: "enrich_document",
    given: [enriching, track(NOW, event(DEEP, "d", NOON))],
    call: ["enrich_document", "P", DEEP_ID, '{"title":"one two"}', "NOW", NOW],
  },
  {
    what: "enrich_document, of a page that has a title",
    given: [track(NOW, event(DEEP, "d", NOON)), ["enrich_document", "P", DEEP_ID, '{"title":"two three"}', "NOW", NOW]],
    call: ["enrich_document", "P", DEEP_ID, '{"title":"one two"}', "NOW", NOW],
  },
  {
    what: "enrich_document, of a page that was given up",
    given: [track(NOW, event(DEEP, "d", NOON)), ["abandon_enrichment", "P", DEEP_ID, "REASON", "x", "NOW", NOW]],
    call: ["enrich_document", "P", DEEP_ID, "{}", "NOW", NOW],
  },
  {
    what: "abandon_enrichment",
    given: [enriching, track(NOW, event(DEEP, "d", NOON))],
    call: ["abandon_enrichment", "P", DEEP_ID, "REASON", "x", "NOW", NOW],
  },
  {
    what: "refresh_documents",
    given: [track(NOW, event(DEEP, "d", NOON), event(PAGE, "d", NOON)), enriching],
    call: ["refresh_documents", "LIMIT", 1, "NOW", NOW],
  },
  {
    what: "expire_documents",
    given: [
      enriching,
      track(NOW, event(DEEP, "d", NOON)),
      ["enrich_document", "P", DEEP_ID, '{"title":"one two"}', "NOW", NOW],
      ["abandon_enrichment", "P", DEEP_ID, "REASON", "x", "NOW", NOW],
    ],
    call: ["expire_documents", "NOW", NOW + 100 * DAY],
    mayDo: 1,
  },
  {
    what: "expire_documents, of a page that waits",
    given: [enriching, track(NOW, event(PAGE, "d", NOON))],
    call: ["expire_documents", "LIMIT", 1, "NOW", NOW + 100 * DAY],
  },
  { what: "tracker_lead", given: [], call: ["tracker_lead", "job", NOON, "w", "NOW", NOON] },
  {
    what: "tracker_lead, once more",
    given: [["tracker_lead", "job", NOON, "w", "NOW", NOON]],
    call: ["tracker_lead", "job", NOON, "w", "NOW", NOON + 1],
  },
  {
    what: "tracker_done",
    given: [["tracker_lead", "job", NOON, "w", "NOW", NOON]],
    call: ["tracker_done", "job", NOON, "w"],
  },
];

const id = (name: string): string => sha1(name);
const stretch = (from: number, to: number): Argument[] => ["FROM", NOON + from * MINUTE, "TO", NOON + to * MINUTE];

const READS: Call[] = [
  ...["count_pg", "count_ud"].flatMap((name): Call[] => [
    [name, "W", id("a.example"), ...stretch(0, 240), "NOW", LATER],
    [name, "P", id("a.example/s/x"), ...stretch(0, 8), "NOW", NOON + 10 * MINUTE],
    [name, "A", id("a.example/a"), ...stretch(60, 180), "NOW", LATER],
  ]),
  ["rank_pg", "P", ...stretch(0, 240), "NOW", LATER],
  ["rank_pg", "P", ...stretch(0, 8), "NOW", NOON + 10 * MINUTE],
  ["rank_pg", "A", ...stretch(0, 8), "NOW", LATER],
  ["rank_pg", "S", ...stretch(0, 240), "WEBSITE", id("a.example"), "NOW", LATER],
  ["rank_pg", "P", ...stretch(0, 240), "WEBSITE", id("a.example"), "NOW", LATER],
  ...["range_pg", "range_ud"].flatMap((name): Call[] => [
    [name, "W", id("a.example"), "TIER", "5MINUTES", ...stretch(0, 240)],
    [name, "P", id("a.example/s/x"), "TIER", "3HOURS", ...stretch(0, 240)],
  ]),
  ["get_document", "W", id("a.example")],
  ["get_document", "S", id("a.example/s")],
  ["get_document", "P", id("a.example/s/x")],
  ["find_documents", "P"],
  ["find_documents", "P", "WEBSITE", "a.example", "LEVEL", 1, "s"],
  ["find_documents", "P", "SECTION", "s"],
  ["find_documents", "P", "SECTION", "t*", "URL", "a.example/t"],
  ["find_documents", "P", "TITLE", "word"],
  ["find_documents", "S", "LEVEL", 1, "t", "WEBSITE", "a.example"],
  ["find_documents", "S", "SECTION", "t*"],
  ["find_documents", "W"],
  ["get_tracker_config"],
  ["get_tracker_status", "NOW", LATER],
];

const READERS: { what: string; given: Call[] }[] = [
  {
    what: "nothing is rotated",
    given: [
      ["configure_tracker", "HOSTS", '{"c.example":"c"}'],
      history,
      entry("/s/x", NOON),
      ["ingest_events", "NOW", LATER],
    ],
  },
  {
    what: "some is rotated",
    given: [
      history,
      ...rotations("rotate_pg", "5MINUTES", "10MINUTES"),
      ...rotations("rotate_ud", "5MINUTES", "10MINUTES"),
    ],
  },
  {
    what: "all is rotated",
    given: [
      history,
      ["rotate_pg", "LIMIT", 10_000, "NOW", LATER],
      ["rotate_ud", "LIMIT", 10_000, "NOW", LATER],
      track(LATER, "{"),
    ],
  },
  {
    what: "pages have titles",
    given: [
      history,
      ["enrich_document", "P", sha1("a.example/s/x"), '{"title":"a word"}', "NOW", LATER],
      ["abandon_enrichment", "P", sha1("a.example/t/y"), "REASON", "x", "NOW", LATER],
    ],
  },
];

/** Values that nothing of ours holds: a list, and text that is no HyperLogLog. (Empty text passes for nothing there.) */
const FOREIGN = {
  list: (key: string): Call => ["RPUSH", key, "foreign"],
  text: (key: string): Call => ["SET", key, "foreign"],
};
type Foreign = keyof typeof FOREIGN;

/** HyperLogLogs are text themselves: a foreign text is told apart only by what is in it. */
const isHyperLogLog = (key: string): boolean => key.startsWith("HLL:");
const kindsFor = (key: string): Foreign[] => (isHyperLogLog(key) ? ["text"] : ["list"]);

const TRACE = /user_function|@user|script:|\.lua|attempt to/;

/** Why a message is no good refusal of a call that found a foreign value under a key; undefined if it is one. */
function complaint(message: string, key: string): string | undefined {
  if (!message.startsWith("CONFLICT ")) return `answers '${message}'`;
  if (!message.includes(key)) return `does not name the key: '${message}'`;
  return TRACE.test(message) ? `shows a script: '${message}'` : undefined;
}

async function prepare(given: Call[]): Promise<void> {
  await tracker.server.flush();
  await Promise.all(given.map(send));
}

/** Everything that a call does wrong about foreign values under the keys that are there before and after it. */
async function problemsOf({ given, call, mayDo = 0 }: Scenario, kinds: (key: string) => Foreign[]): Promise<string[]> {
  await prepare(given);
  const snapshot = await takeSnapshot(tracker.client);
  const before = await digest(tracker.client);
  await send(call);
  const after = await digest(tracker.client);
  const [expected, values] = [await contents(tracker.client), await digestOfValues(tracker.client)];
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  const changed = new Set(keys.filter((key) => before[key] !== after[key]));
  expect(changed.size).toBeGreaterThan(0);

  const problems: string[] = [];
  for (const [key, kind] of keys.flatMap((each) => kinds(each).map((foreign) => [each, foreign] as const))) {
    const report = (...found: string[]): void => void problems.push(`${key} (${kind}) ${found.join(", and ")}`);
    await tracker.server.flush();
    await restore(
      tracker.client,
      snapshot.filter((each) => each.key !== key),
    );
    await send(FOREIGN[kind](key));

    let found = await digest(tracker.client);
    let message = await refusalOf(send(call));
    for (let calls = 0; message === undefined && calls < mayDo; calls += 1) {
      found = await digest(tracker.client);
      message = await refusalOf(send(call));
    }
    const now = await digest(tracker.client);
    if (message === undefined) {
      // It may be that the call has no need of the key.
      if (changed.has(key)) report("is not noticed");
      else if (now[key] !== found[key]) report("is written over");
      continue;
    }
    const wrong = [complaint(message, key)].filter((each) => each !== undefined);
    const written = Object.keys({ ...found, ...now }).filter((each) => found[each] !== now[each]);
    // The HyperLogLog of an id that was seen in its minute was checked then. If it is overwritten within the minute, devices
    // of the call may be in other HyperLogLogs already, where they do no harm when it is repeated; nothing is counted.
    const isSeen = call[0] === "track_events" && isHyperLogLog(key) && key in before;
    const counted = isSeen ? written.filter((each) => !isHyperLogLog(each)) : written;
    if (counted.length > 0) wrong.push(`is noticed after ${counted.length} keys were written`);
    if (wrong.length > 0) {
      report(...wrong);
      continue;
    }
    await tracker.client.sendCommand(["DEL", key]);
    await restore(
      tracker.client,
      snapshot.filter((each) => each.key === key),
    );
    const again = await refusalOf(send(call));
    if (again !== undefined) report(`once it is gone, the call still fails: '${again}'`);
    else if (!isEqual(await digestOfValues(tracker.client), values))
      expect(await contents(tracker.client), `once ${key} (${kind}) is gone`).toEqual(expected);
  }
  return problems;
}

/** What is tried with every foreign value that there can be for a HyperLogLog. */
const SOME = ["track_events: the first event of all", "rotate_ud: three hours"];

describe("writing", () => {
  it.each(WRITERS.map((scenario) => [scenario.what, scenario] as const))("%s", async (_, scenario) => {
    expect(await problemsOf(scenario, kindsFor)).toEqual([]);
  });

  it.each(WRITERS.filter(({ what }) => SOME.includes(what)).map((scenario) => [scenario.what, scenario] as const))(
    "%s, a list for a HyperLogLog",
    async (_, scenario) => {
      expect(await problemsOf(scenario, (key) => (isHyperLogLog(key) ? ["list"] : []))).toEqual([]);
    },
  );
});

describe("reading", () => {
  it.each(READERS.map((reader) => [reader.what, reader] as const))("where %s", async (_, { given }) => {
    await prepare(given);
    const snapshot = await takeSnapshot(tracker.client);
    const replyOf = async (call: Call): Promise<string> => JSON.stringify(await send(call));
    const replies = await Promise.all(READS.map(replyOf));
    expect(snapshot.length).toBeGreaterThan(25);

    const problems = new Set<string>();
    let conflicts = 0;
    for (const { key } of snapshot) {
      for (const kind of kindsFor(key)) {
        await tracker.client.sendCommand(["DEL", key]);
        await send(FOREIGN[kind](key));
        const answers = await Promise.all(READS.map((call) => replyOf(call).catch((error: Error) => error)));
        answers.forEach((answer, at) => {
          if (!(answer instanceof Error)) {
            // Of a stream that became something else the status says that it is empty: one of many must not hide the rest.
            if (READS[at]![0] === "get_tracker_status" && key.startsWith("ST:")) return;
            if (answer !== replies[at])
              problems.add(`${READS[at]!.join(" ")}: ${key} (${kind}) changes the answer to ${answer}`);
            return;
          }
          conflicts += 1;
          const problem = complaint(answer.message, key);
          if (problem !== undefined) problems.add(`${READS[at]![0]}: ${key} (${kind}) ${problem}`);
        });
        await restore(
          tracker.client,
          snapshot.filter((each) => each.key === key),
        );
      }
    }
    expect(conflicts).toBeGreaterThan(10);
    expect([...problems]).toEqual([]);
    expect(await Promise.all(READS.map(replyOf))).toEqual(replies);
  });
});

it("a key that nobody asks for is nobody's conflict", async () => {
  await prepare([history, ["SET", "H:OTHER::::", "mine"]]);
  expect(await refusalOf(send(["rotate_pg", "NOW", LATER + DAY]))).toBeUndefined();
  expect(await tracker.client.get("H:OTHER::::")).toBe("mine");
});
