/** `hotpath status` as lines. Pure. */
import pc from "picocolors";
import { formatBytes, formatCount, formatDuration, formatTime, printable, truncate } from "../../terminal/format";
import { renderTable, type Column } from "../../terminal/table";
import type { PartitionStatus, PrimaryStatus, Status, TrackerStatus } from "./read";
import type { PartMemory } from "./memory";
import type { Problem } from "./problems";

export interface StatusStyle {
  width: number;
  colors: boolean;
}

type Colors = ReturnType<typeof pc.createColors>;

const right = (title: string, dropRank?: number): Column => ({
  title,
  align: "right",
  ...(dropRank === undefined ? {} : { dropRank }),
});

const LIBRARY_COLUMNS: Column[] = [
  { title: "server" },
  { title: "is", dropRank: 2 },
  { title: "library" },
  { title: "state" },
  { title: "version", flexible: "end" },
  right("functions", 1),
];
const STREAM_COLUMNS: Column[] = [
  { title: "stream", flexible: "middle" },
  { title: "counted up to", dropRank: 1 },
  right("entries"),
  right("lag"),
  right("waiting"),
  right("missing", 2),
];
const TIER_COLUMNS: Column[] = [
  { title: "tier" },
  right("windows", 2),
  right("pages", 1),
  right("views waiting"),
  right("lag"),
  right("devices waiting"),
  right("lag"),
];
const REJECTED_COLUMNS: Column[] = [{ title: "rejected because", flexible: "end" }, right("events")];
const MEMORY_COLUMNS: Column[] = [
  { title: "memory, about" },
  right("bytes"),
  right("keys"),
  right("looked at", 2),
  { title: "most of it", flexible: "end", dropRank: 1 },
];

/** The whole output; no line is wider than `width`. What is wrong comes first. */
export function renderStatus(
  { primaries, replicas, tracker }: Status,
  problems: readonly Problem[],
  { width, colors: withColors }: StatusStyle,
): string[] {
  const colors = pc.createColors(withColors);
  return [
    ...problemLines(problems, width, colors),
    ...renderTable(LIBRARY_COLUMNS, primaries.flatMap(libraryRows), width),
    ...primaries.flatMap((primary) => memoryLine(primary, width)),
    ...replicas.map(({ address, health }) => truncate(`${address} is a replica, ${health}`, width)),
    ...tracker.flatMap((each) => trackerLines(each, width, colors)),
  ];
}

function problemLines(problems: readonly Problem[], width: number, colors: Colors): string[] {
  if (problems.length === 0) return [colors.green("✓ nothing is wrong"), ""];
  return [
    ...problems.flatMap(({ message }) => hanging("✗ ", printable(message), width).map((line) => colors.red(line))),
    "",
  ];
}

/** A paragraph whose first line begins with a mark and whose other lines stand under its text. */
function hanging(mark: string, text: string, width: number): string[] {
  const lines: string[] = [];
  let line = mark;
  for (const word of text.split(" ")) {
    const longer = line.trim() === "" || line === mark ? line + word : `${line} ${word}`;
    if (longer.length <= width || line === mark) line = longer;
    else {
      lines.push(line);
      line = " ".repeat(mark.length) + word;
    }
  }
  return [...lines, line].map((each) => truncate(each, width));
}

function libraryRows({ address, server, libraries }: PrimaryStatus): string[][] {
  return libraries.map(({ library, state, version, hash, functions }) => [
    address,
    server,
    library,
    state,
    version === null ? "" : `${version} ${hash?.slice(0, 12) ?? ""}`,
    String(functions),
  ]);
}

function memoryLine({ address, memory }: PrimaryStatus, width: number): string[] {
  if (memory === null) return [];
  const limit =
    memory.maxBytes > 0 ? ` of ${formatBytes(memory.maxBytes)} (maxmemory, ${memory.policy})` : ", no limit set";
  return [truncate(`${address} uses ${formatBytes(memory.usedBytes)}${limit}`, width)];
}

function trackerLines(
  { partition, status, delays, memory, memoryError, error }: PartitionStatus,
  width: number,
  colors: Colors,
): string[] {
  const title = ["", colors.bold(`tracker${partition === null ? "" : ` {${partition}}`}`)];
  if (status === null) return [...title, truncate(`  ${error}`, width)];
  const { streams, tiers, rejected } = status;
  const waiting = new Map(delays?.streams.map(([stream, unread]) => [stream, unread]));
  const table = (columns: Column[], rows: string[][]): string[] => indented(columns, rows, width);
  return [
    ...title,
    ...table(
      STREAM_COLUMNS,
      streams.map(([key, cursor, length, lagMs, missing]) => [
        key,
        cursor,
        formatCount(length),
        formatDuration(lagMs),
        waiting.has(key) ? formatCount(waiting.get(key)!) : "–",
        formatCount(missing),
      ]),
    ),
    ...table(TIER_COLUMNS, tiers.map(tierRow)),
    ...table(
      REJECTED_COLUMNS,
      rejected.map(([reason, events]) => [reason, formatCount(events)]),
    ),
    ...(memory === null ? memoryMissing(memoryError, width) : table(MEMORY_COLUMNS, memoryRows(memory))),
    ...knownLines(status, width),
  ];
}

function memoryMissing(memoryError: string | null, width: number): string[] {
  return [truncate(`  memory by tier is not known: ${memoryError}`, width), ""];
}

function knownLines(
  { websites, sections, pages, late, rotatedUntil, ...metadata }: TrackerStatus,
  width: number,
): string[] {
  const documents = `${formatCount(websites)} websites, ${formatCount(sections)} sections, ${formatCount(pages)} pages`;
  const rotated = rotatedUntil === null ? "rotation has never run" : `rotated up to ${formatTime(rotatedUntil)} UTC`;
  return [documents, ...metadataLines(metadata), `${formatCount(late)} events were late`, rotated].map((line) =>
    truncate(`  ${line}`, width),
  );
}

/** Nothing where no page was ever announced: enrichment is off. */
function metadataLines({
  enrichWaiting,
  enriched,
  enrichAbandoned,
}: Pick<TrackerStatus, "enrichWaiting" | "enriched" | "enrichAbandoned">): string[] {
  const abandoned = enrichAbandoned.reduce((total, [, pages]) => total + pages, 0);
  if (enrichWaiting + enriched + abandoned === 0) return [];
  const reasons = enrichAbandoned.slice(0, 3).map(([reason, pages]) => `${reason} ${formatCount(pages)}`);
  const why =
    reasons.length === 0 ? "" : ` (${reasons.join(", ")}${enrichAbandoned.length > reasons.length ? ", …" : ""})`;
  return [
    `${formatCount(enriched)} pages have metadata, ${formatCount(enrichWaiting)} wait, ${formatCount(abandoned)} were given up${why}`,
  ];
}

function tierRow([
  tier,
  windows,
  pages,
  views,
  viewsLagMs,
  devices,
  devicesLagMs,
]: TrackerStatus["tiers"][number]): string[] {
  const counts = [windows, pages, views].map(formatCount);
  return [tier, ...counts, formatDuration(viewsLagMs), formatCount(devices), formatDuration(devicesLagMs)];
}

const SORT_NAMES: Record<string, string> = { series_views: "points of views", series_devices: "points of devices" };
const DIMENSION_NAMES: Record<string, string> = {
  W: "websites",
  S: "sections",
  P: "pages",
  A: "audio",
  V: "video",
  PC: "podcasts",
};

function memoryRows(parts: readonly PartMemory[]): string[][] {
  const rows = parts.map(({ part, keys, bytes, samples, sorts }) => [
    part,
    formatBytes(bytes),
    formatCount(keys),
    formatCount(samples),
    mostOf(sorts, bytes),
  ]);
  const sum = (field: "keys" | "bytes" | "samples"): number => parts.reduce((total, part) => total + part[field], 0);
  return [...rows, ["in all", formatBytes(sum("bytes")), formatCount(sum("keys")), formatCount(sum("samples")), ""]];
}

function mostOf(sorts: PartMemory["sorts"], bytes: number): string {
  const [largest] = sorts;
  if (largest === undefined || bytes === 0) return "";
  const name = SORT_NAMES[largest.what] ?? largest.what;
  const of = DIMENSION_NAMES[largest.dimension];
  return `${name}${of === undefined ? "" : ` of ${of}`}, ${Math.round((100 * largest.bytes) / bytes)}%`;
}

/** With a line after it; nothing where there are no rows. */
function indented(columns: Column[], rows: string[][], width: number): string[] {
  if (rows.length === 0) return [];
  return [...renderTable(columns, rows, width - 2).map((line) => `  ${line}`), ""];
}
