/** Lines gathered into chunks that one call counts. */
import type { LeftOutReason } from "./access-log";
import type { LogSource } from "./log-source";
import { noneLeftOut, type ParseLine } from "./line-format";
import { readPlacedLines, type LineGroup, type PlacedLine } from "./lines";
import { formatPosition, type FilePosition } from "./position";
import type { Chunk } from "./sender";
import { DAY_MS } from "../../runtime/time";

/** At about 120,000 events a second this keeps a call under 2 ms. */
const MAX_EVENTS = 250;
/** A long stretch of lines that are left out moves the position too. */
const MAX_LINES = 5000;
/** An event of a chunk must not be 7 days older than the clock of the call, which is the latest of its times. */
const MAX_SPREAD_MS = 6 * DAY_MS;

/** What the lines of a chunk were. */
export interface Tally {
  lines: number;
  events: number;
  leftOut: Record<LeftOutReason, number>;
  /** Bytes of holes in the file. */
  holes: number;
  /** Times of the events; undefined where there is none. */
  firstMs: number | undefined;
  lastMs: number | undefined;
}

/** Nothing read yet. */
export function emptyTally(): Tally {
  return { lines: 0, events: 0, leftOut: noneLeftOut(), holes: 0, firstMs: undefined, lastMs: undefined };
}

/** Adds what a chunk was. */
export function addTally(sum: Tally, part: Tally): void {
  sum.lines += part.lines;
  sum.events += part.events;
  sum.holes += part.holes;
  for (const reason of Object.keys(part.leftOut) as LeftOutReason[]) sum.leftOut[reason] += part.leftOut[reason];
  if (part.firstMs !== undefined) sum.firstMs = Math.min(sum.firstMs ?? Infinity, part.firstMs);
  if (part.lastMs !== undefined) sum.lastMs = Math.max(sum.lastMs ?? -Infinity, part.lastMs);
}

export interface PlacedChunk extends Chunk {
  tally: Tally;
  position: FilePosition;
}

export interface ReadOptions {
  parse: ParseLine;
  /** Unix milliseconds: no event is counted for a later time. */
  nowMs: () => number;
  /** Told of bytes of the file as it lies there. */
  onBytes: (bytes: number) => void;
  /** Told that the last line is not finished, and was left for the next time. */
  onUnfinished: () => void;
}

/**
 * Reads a file in chunks from a position on, each beginning where the one before it ends. A last line without line end
 * counts if it is an event; if it makes no sense it is left, because the rest of it may be yet to come.
 *
 * @param isKept whether the position is kept in Redis already
 * @throws what readPlacedLines throws, after all that could be read was yielded
 */
export async function* readChunks(
  source: LogSource,
  start: FilePosition,
  isKept: boolean,
  options: ReadOptions,
): AsyncGenerator<PlacedChunk, void, undefined> {
  const gathering = new Gathering(start, isKept, options);
  let failure: { error: unknown } | undefined;
  const groups = readPlacedLines(source, start, options.onBytes);
  for (;;) {
    let next: IteratorResult<LineGroup, void>;
    try {
      next = await groups.next();
    } catch (error) {
      failure = { error };
      break;
    }
    if (next.done) break;
    gathering.addHoles(next.value.holes);
    for (const line of next.value.lines) yield* gathering.take(line, next.value);
  }
  yield* gathering.end();
  if (failure !== undefined) throw failure.error;
}

class Gathering {
  #events: string[] = [];
  #tally = emptyTally();
  #position: FilePosition;
  #from: string;
  /** The last line taken, and the group that it was in. */
  #last: { line: PlacedLine; group: LineGroup } | undefined;

  constructor(
    start: FilePosition,
    isKept: boolean,
    private readonly options: ReadOptions,
  ) {
    this.#position = start;
    this.#from = isKept ? formatPosition(start) : "-";
  }

  /** Counts bytes that hold nothing. */
  addHoles(bytes: number): void {
    this.#tally.holes += bytes;
  }

  /** Takes a line; yields what is full before it or by it. */
  *take(line: PlacedLine, group: LineGroup): Generator<PlacedChunk> {
    const parsed = this.options.parse(line.text);
    const isLeftOut = "leftOut" in parsed;
    if (isLeftOut && !line.isEnded && parsed.leftOut === "unparsable") return this.options.onUnfinished();
    if (!isLeftOut && this.#isFarFrom(parsed.timeMs)) yield* this.end();
    const tally = this.#tally;
    tally.lines += 1;
    if (isLeftOut) tally.leftOut[parsed.leftOut] += 1;
    else this.#add(parsed.json, parsed.timeMs);
    this.#last = { line, group };
    if (this.#events.length >= MAX_EVENTS || tally.lines >= MAX_LINES) yield* this.end();
  }

  /** Yields what there is, if there is any. */
  *end(): Generator<PlacedChunk> {
    if (this.#last === undefined || this.#tally.lines === 0) return;
    const { line, group } = this.#last;
    const position = { ...this.#position, offset: line.end, tail: group.tailAt(line.end) };
    const to = formatPosition(position);
    const tally = this.#tally;
    const nowMs = Math.min(tally.lastMs ?? Infinity, this.options.nowMs());
    yield { from: this.#from, to, events: this.#events, nowMs, tally, position };
    this.#position = position;
    this.#from = to;
    this.#events = [];
    this.#tally = emptyTally();
  }

  #add(json: string, timeMs: number | undefined): void {
    const tally = this.#tally;
    this.#events.push(json);
    tally.events += 1;
    if (timeMs === undefined) return;
    tally.firstMs = Math.min(tally.firstMs ?? Infinity, timeMs);
    tally.lastMs = Math.max(tally.lastMs ?? -Infinity, timeMs);
  }

  #isFarFrom(timeMs: number | undefined): boolean {
    const { firstMs, lastMs } = this.#tally;
    if (timeMs === undefined || firstMs === undefined) return false;
    return Math.max(timeMs, lastMs!) - Math.min(timeMs, firstMs) > MAX_SPREAD_MS;
  }
}
