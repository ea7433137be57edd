/** What is wrong, in sentences. Pure. */
import { TIERS, type Tier } from "../../contract";
import { formatCount, formatDuration, formatShare } from "../../terminal/format";
import type { Status } from "./read";
import { DAY_MS, MINUTE_MS } from "../../runtime/time";

export interface Problem {
  kind: "server" | "library" | "tracker" | "stream" | "rotation" | "memory";
  /** One sentence: what, since when, what to do. */
  message: string;
}

/** A host reads a stream within moments; an entry that waits for longer waits in vain. */
const STREAM_WAIT_MS = MINUTE_MS;

/** Devices are brought together each minute. */
const CARRY_WAIT_MS = 10 * MINUTE_MS;

/** What went missing cannot be brought back: it is wrong for as long as somebody should hear of it, and told by the figures after. */
const LOSS_MS = DAY_MS;

/** A window that is over is carried on at the next tick of its tier: after two lengths, two ticks have not come. */
const LENGTHS_LATE = 2;

const MEMORY_FULL = 0.9;

/** Everything that somebody should look after, most pressing first. */
export function findProblems({ primaries, replicas, tracker, topics }: Status, nowMs = Date.now()): Problem[] {
  const away = [
    ...primaries.flatMap(({ address, problem }) => (problem === null ? [] : [{ address, what: problem }])),
    ...replicas
      .filter(({ health }) => health !== "online")
      .map(({ address, health }) => ({ address, what: `this replica is ${health}` })),
  ].map(({ address, what }): Problem => {
    return { kind: "server", message: what.startsWith(address) ? what : `${address}: ${what}` };
  });
  const libraries = primaries.flatMap((primary) => libraryProblems(primary));
  const memory = primaries.flatMap(({ address, memory: used }) => (used === null ? [] : memoryProblems(address, used)));
  const losses = [
    ...tracker.flatMap(({ partition, status }) =>
      (status?.streams ?? []).flatMap(([stream, , , , missing, missingAt, begunAnew]) =>
        lossProblems({ partition, stream, missing, missingAt, begunAnew }, nowMs),
      ),
    ),
    ...topics.flatMap((topic) => lossProblems(topic, nowMs)),
  ];
  return [...away, ...libraries, ...losses, ...tracker.flatMap((each) => trackerProblems(each)), ...memory];
}

function lossProblems(
  { partition, stream, missing, missingAt, begunAnew }: Omit<Status["topics"][number], "topic">,
  nowMs: number,
): Problem[] {
  if (missing + begunAnew === 0 || missingAt < nowMs - LOSS_MS) return [];
  const what = [
    ...(missing > 0 ? [`${formatCount(missing)} entries of ${stream} were removed before they were read`] : []),
    ...(begunAnew > 0 ? [`${stream} was deleted and begun anew (${formatCount(begunAnew)} times)`] : []),
  ].join(", and ");
  const since = formatDuration(Math.max(nowMs - missingAt, 0));
  const where = partition === null ? "" : `{${partition}}: `;
  return [
    {
      kind: "stream",
      message: `${where}${what}, last seen ${since} ago; does somebody else trim it, or XADD it with MAXLEN?`,
    },
  ];
}

function libraryProblems({ address, libraries }: Status["primaries"][number]): Problem[] {
  const message: Partial<Record<string, string>> = {
    missing: "is not loaded; run: hotpath deploy",
    differs: "is another version than this one; hotpath deploy replaces it",
  };
  return libraries.flatMap(({ library, state }) => {
    const what = message[state];
    return what === undefined ? [] : [{ kind: "library", message: `${address}: the library ${library} ${what}` }];
  });
}

function trackerProblems({ partition, error, status, delays, unread }: Status["tracker"][number]): Problem[] {
  const where = partition === null ? "" : `{${partition}}: `;
  if (error !== null) return [{ kind: "tracker", message: `${where}${error}` }];
  const streams = (delays?.streams ?? []).flatMap(([stream, entries, waitedMs]): Problem[] =>
    waitedMs <= STREAM_WAIT_MS
      ? []
      : [
          {
            kind: "stream",
            message: `${where}about ${formatCount(entries)} entries of ${stream} wait, the oldest for ${formatDuration(waitedMs)}; is hotpath serve running?`,
          },
        ],
  );
  const never = unread.map(({ stream, entries }): Problem => ({
    kind: "stream",
    message: `${where}${stream} has ${formatCount(entries)} entries and was never ingested; run: hotpath serve`,
  }));
  const rotation = (delays?.tiers ?? []).flatMap((tier) => rotationProblems(where, tier));
  return [...streams, ...never, ...rotation, ...carryProblems(where, status?.carryLagMs ?? 0)];
}

function rotationProblems(
  where: string,
  [tier, viewsMs, devicesMs]: [tier: string, pgMs: number, udMs: number],
): Problem[] {
  const lateMs = LENGTHS_LATE * TIERS[tier as Tier].lengthMs;
  const late = [
    ...(viewsMs > lateMs ? [`page views (${formatDuration(viewsMs)})`] : []),
    ...(devicesMs > lateMs ? [`devices (${formatDuration(devicesMs)})`] : []),
  ];
  if (late.length === 0) return [];
  return [
    {
      kind: "rotation",
      message: `${where}${tier} is not rotated: a window that is over waits for its ${late.join(" and ")}; is hotpath serve running?`,
    },
  ];
}

function carryProblems(where: string, lagMs: number): Problem[] {
  if (lagMs <= CARRY_WAIT_MS) return [];
  return [
    {
      kind: "rotation",
      message: `${where}devices of websites that are counted in several partitions wait to be brought together, since ${formatDuration(lagMs)}; are the other shards there, and is hotpath serve running?`,
    },
  ];
}

function memoryProblems(
  address: string,
  { usedBytes, maxBytes, policy }: NonNullable<Status["primaries"][number]["memory"]>,
): Problem[] {
  const problems: Problem[] = [];
  if (maxBytes > 0 && usedBytes > MEMORY_FULL * maxBytes) {
    problems.push({
      kind: "memory",
      message: `${address}: ${formatShare(usedBytes / maxBytes)} of maxmemory are used`,
    });
  }
  if (maxBytes > 0 && policy !== "" && policy !== "noeviction") {
    problems.push({
      kind: "memory",
      message: `${address}: maxmemory-policy is ${policy}, which drops keys of the tracker; set noeviction`,
    });
  }
  return problems;
}
