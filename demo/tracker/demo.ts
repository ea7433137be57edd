/** `hotpath demo`: a day of traffic, or a log, counted and rotated inside Redis, and what came of it. */
import { drain } from "../../host/tracker/ingest";
import { formatDuration } from "../../host/terminal/format";
import { judge } from "../checks";
import { say } from "../frame";
import { styleOf } from "../paper";
import { startProgress } from "../../host/terminal/progress";
import { check, readBaseline, type Baseline } from "./checks";
import { renderEpilogue } from "./epilogue";
import { feed, type FeedSummary } from "./feed";
import { MAX_RANKED, rank, readFigures, type Question } from "./figures";
import { interruptible, requireRunning } from "../interruption";
import { checkOptions, type DemoOptions } from "../options";
import { openServer, type DemoServer } from "../server";
import { renderReport, type ReportData } from "./report";
import { STEP_MS, windowStart } from "./simulation";
import { renderTimes, timesOf } from "./times";
import { NAMELESS_SITE, openTraffic, type DemoTraffic } from "./traffic";
import { MINUTE_MS } from "../../host/runtime/time";
import { leftOutInWords, rejectedInWords } from "../../host/tracker/import/reasons";

export type { DemoOptions } from "../options";

/**
 * Runs the demo. Messages and progress go to standard error, the report to standard output.
 *
 * Exits with 1 if the server counted anything else than what was sent; after a signal with 128 and its number, unless the
 * report was out by then and only the server was kept.
 *
 * @throws UsageError, UserError, AccessLogError and others whose message is for the person who asked
 */
export async function runTrackerDemo(options: DemoOptions): Promise<void> {
  checkOptions(options);
  await interruptible((signal) => withTraffic(options, signal), say);
}

async function withTraffic(options: DemoOptions, signal: AbortSignal): Promise<void> {
  const traffic = await openTraffic(options, Date.now(), signal);
  try {
    requireRunning(signal);
    await withServer(options, traffic, signal);
  } finally {
    await traffic.close();
  }
}

async function withServer(options: DemoOptions, traffic: DemoTraffic, signal: AbortSignal): Promise<void> {
  const url = process.env["REDIS_URL"];
  const server = await openServer({ url, force: options.force ?? false, log: say });
  try {
    requireRunning(signal);
    await demonstrate({ options, traffic, server, signal, url });
  } catch (error) {
    if (signal.aborted)
      say(
        server.embedded
          ? "Interrupted; the server is stopped."
          : "Interrupted; what was counted so far stays in the database.",
      );
    throw error;
  } finally {
    await server.close();
  }
}

interface Demo {
  options: DemoOptions;
  traffic: DemoTraffic;
  server: DemoServer;
  signal: AbortSignal;
  url: string | undefined;
}

async function demonstrate(demo: Demo): Promise<void> {
  const { traffic, server, signal } = demo;
  const asked = questionOf(demo, traffic.endMs);
  const before = await readBaseline(asked);
  await countWaiting(server, signal);
  const fed = await feedAll(demo);
  requireRunning(signal);
  // A log that is being written to goes on a little after its end was looked for.
  const question = questionOf(demo, Math.max(traffic.endMs, fed.lastArrivalMs ?? 0));
  const data = await reportOf(demo, fed, question, before);
  await show(demo, data, fed, question);
  judge(data.checks ?? []);
}

/** The whole time of the traffic, its last millisecond included. */
function questionOf({ server, traffic }: Demo, endMs: number): Question {
  return { functions: server.client.functions, fromMs: traffic.startMs, toMs: endMs + 1, nowMs: endMs };
}

/** In a database in use, others' events may wait to be counted; not by our clock. */
async function countWaiting({ client, embedded }: DemoServer, signal: AbortSignal): Promise<void> {
  if (embedded) return;
  await drain(client.functions, { key: client.stream, partition: client.partition }, signal);
}

async function feedAll({ traffic, server, signal }: Demo): Promise<FeedSummary> {
  const progress = startProgress({ label: "Counting", total: traffic.total, unit: traffic.unit });
  try {
    return await feed({
      client: server.client,
      batches: traffic.batches(),
      untilMs: traffic.endMs,
      // The last rotation is left over, so that whoever tries it by hand sees it work.
      rotateBeforeMs: windowStart(STEP_MS, traffic.endMs),
      signal,
      onProgress: (events) => progress.update(traffic.progress(events)),
    });
  } finally {
    progress.stop();
  }
}

async function reportOf(
  { traffic, server }: Demo,
  fed: FeedSummary,
  question: Question,
  before: Baseline,
): Promise<ReportData> {
  const websites = await rank(question, "W", MAX_RANKED);
  const [name = "", version = ""] = server.program.split(" ");
  return {
    source: traffic.source + shareOf(traffic, websites.fromMs),
    server: { name: name === "valkey" ? "Valkey" : "Redis", version },
    fromMs: Math.max(traffic.startMs, websites.fromMs),
    toMs: question.nowMs,
    ...(await readFigures(question, websites, traffic.startMs)),
    leftOut: traffic.leftOut(),
    speed: { events: fed.sent, elapsedMs: fed.elapsedMs },
    checks: await check({ question, traffic, fed, websites, before }),
  };
}

/** What is said of a log that is longer than windows are kept: ` (its last 7 d of 40 d)`. */
function shareOf({ startMs, endMs }: DemoTraffic, fromMs: number): string {
  return fromMs <= startMs ? "" : ` (its last ${formatDuration(endMs - fromMs)} of ${formatDuration(endMs - startMs)})`;
}

/** Prints, and keeps the server for as long as it is wanted. */
async function show(demo: Demo, data: ReportData, fed: FeedSummary, question: Question): Promise<void> {
  const { options, server, signal, traffic, url } = demo;
  const keep = options.keep ?? (process.stdout.isTTY && !options.json);
  if (options.json) {
    const port = server.embedded && keep ? server.embedded.port : null;
    process.stdout.write(`${JSON.stringify({ ...data, lines: traffic.lines() ?? null, times: timesOf(fed), port })}\n`);
  } else {
    const style = styleOf(process.stdout, process.env);
    const report = renderReport(
      { ...data, rejected: rejectedInWords(data.rejected), leftOut: leftOutInWords(data.leftOut) },
      style,
    );
    const times = renderTimes(
      timesOf(fed),
      options.log === undefined ? "making the traffic" : "reading the log",
      style,
    );
    const epilogue = await renderEpilogue({ server, question, keep, url, hints: hintsFor(data, options) }, style);
    process.stdout.write([report, times, epilogue].join("\n"));
  }
  if (keep) await keepServer(server, signal);
}

function hintsFor({ sites }: ReportData, { log, website }: DemoOptions): string[] {
  const isNameless = log !== undefined && website === undefined && sites.some(({ name }) => name === NAMELESS_SITE);
  return isNameless ? ["The log names no host; --website www.example.org gives it one."] : [];
}

async function keepServer({ embedded }: DemoServer, signal: AbortSignal): Promise<void> {
  if (!embedded || signal.aborted) return;
  // Neither a signal nor a server keeps a process alive.
  const alive = setInterval(() => undefined, MINUTE_MS);
  const stopped = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  await Promise.race([stopped, embedded.exited]);
  if (!signal.aborted) say("Somebody else has ended the server.");
  clearInterval(alive);
}
