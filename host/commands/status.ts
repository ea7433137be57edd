/** `hotpath status` */
import { loadConfig } from "../config";
import { connect } from "../connection";
import { readBundle } from "../libraries";
import { formatCount, formatDuration } from "../report/format";
import { renderTable, type Column } from "../report/table";
import { isInStep, readStatus, type PrimaryStatus, type Status, type TrackerStatus } from "../status";
import { WIDTH } from "./terminal";

export interface StatusCommandOptions {
  check?: boolean;
  json?: boolean;
}

/** Prints what is loaded, and how the tracker is doing. */
export async function statusCommand(options: StatusCommandOptions): Promise<void> {
  const { redis, tracker } = loadConfig();
  const bundle = readBundle();
  const connection = await connect(redis.url);
  try {
    const status = await readStatus(connection, bundle, tracker.partitions);
    const inStep = isInStep(status, bundle);
    console.log(options.json ? JSON.stringify({ inStep, ...status }) : render(status));
    if (options.check && !inStep) process.exitCode = 1;
  } finally {
    connection.close();
  }
}

function render({ primaries, tracker }: Status): string {
  const libraries = renderTable(LIBRARY_COLUMNS, primaries.flatMap(libraryRows), WIDTH);
  return [...libraries, ...tracker.flatMap(renderTracker)].join("\n");
}

const right = (title: string): Column => ({ title, align: "right" });

const LIBRARY_COLUMNS: Column[] = [
  { title: "server" },
  { title: "is" },
  { title: "library" },
  { title: "state" },
  { title: "version" },
  right("functions"),
];

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

const STREAM_COLUMNS: Column[] = [{ title: "stream" }, { title: "counted up to" }, right("entries"), right("lag")];
const TIER_COLUMNS: Column[] = [
  { title: "tier" },
  right("windows"),
  right("pages"),
  right("views waiting"),
  right("lag"),
  right("devices waiting"),
  right("lag"),
];
const REJECTED_COLUMNS: Column[] = [{ title: "rejected because" }, right("events")];

function renderTracker({ partition, status, error }: Status["tracker"][number]): string[] {
  const title = ["", `tracker${partition === null ? "" : ` {${partition}}`}`];
  if (status === null) return [...title, `  ${error}`];
  const { streams, tiers, rejected, websites, sections, pages, late } = status;
  const tables = [
    table(
      STREAM_COLUMNS,
      streams.map(([key, cursor, length, lagMs]) => [key, cursor, formatCount(length), formatDuration(lagMs)]),
    ),
    table(TIER_COLUMNS, tiers.map(tierRow)),
    table(
      REJECTED_COLUMNS,
      rejected.map(([reason, events]) => [reason, formatCount(events)]),
    ),
  ];
  const known = `${formatCount(websites)} websites, ${formatCount(sections)} sections, ${formatCount(pages)} pages; ${formatCount(late)} events were late`;
  return [...title, ...tables.flat(), `  ${known}`];
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

/** Indented, with a line after it; nothing where there are no rows. */
function table(columns: Column[], rows: string[][]): string[] {
  if (rows.length === 0) return [];
  return [...renderTable(columns, rows, WIDTH - 2).map((line) => `  ${line}`), ""];
}
