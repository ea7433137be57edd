import cliProgress from "cli-progress";
import { formatBytes, formatCount, formatDuration, formatShare, truncate } from "./format";

/** What to show the progress of. */
export interface ProgressOptions {
  /** What is being done: `Counting`. */
  label: string;
  /** Value at the end; undefined where nobody knows it. */
  total?: number | undefined;
  /** `bytes` are formatted as such; else the name of what is counted. Default `events`. */
  unit?: string;
  /** Where to. Default: standard error, so that a report on standard output can be piped. */
  stream?: NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
  /** Milliseconds between two lines where the stream is no terminal; 0 for an end line only. Default 5,000. */
  everyMs?: number;
  /** Monotonic milliseconds. Default: performance.now. */
  nowMs?: () => number;
}

/** A progress that is shown. */
export interface Progress {
  /** Says how far it is. Cheap: it may be called for every batch. */
  update(value: number): void;
  /** Says that it is over, at the value last given. A second call does nothing. */
  stop(): void;
}

const BAR_SIZE = { least: 8, most: 24 };
/** What figures take beside the bar: `100.0%, 1,000,000 events, 100,000/s, 59 min 59 s left`. */
const FIGURES_WIDTH = 56;

/**
 * Shows the progress of something long: on a terminal a bar with rate and remaining time, elsewhere a line now and then.
 *
 * @param options see {@link ProgressOptions}
 * @returns the progress, begun at 0
 */
export function startProgress(options: ProgressOptions): Progress {
  const meter = new Meter(options);
  const stream = options.stream ?? process.stderr;
  return stream.isTTY ? startBar(meter, stream) : startLines(meter, stream, options.everyMs ?? 5_000);
}

/** How far, how fast, how long still. */
class Meter {
  readonly label: string;
  readonly total: number | undefined;
  private readonly unit: string;
  private readonly nowMs: () => number;
  private readonly startedMs: number;
  private value = 0;

  constructor({ label, total, unit = "events", nowMs = () => performance.now() }: ProgressOptions) {
    this.label = label;
    this.total = total;
    this.unit = unit;
    this.nowMs = nowMs;
    this.startedMs = nowMs();
  }

  set(value: number): void {
    this.value = value;
  }

  elapsedMs(): number {
    return this.nowMs() - this.startedMs;
  }

  /** `45.0%, 90,000 events, 85,000/s, 1.3 s left`, as far as it is known. */
  standing(): string {
    const left = this.leftMs();
    return [
      ...(this.total ? [formatShare(this.value / this.total)] : []),
      this.named(),
      `${this.amount(this.rate())}/s`,
      ...(left === undefined ? [] : [`${formatDuration(left)} left`]),
    ].join(", ");
  }

  /** `200,000 events in 2.3 s, 86,956/s`. */
  result(): string {
    return `${this.named()} in ${formatDuration(this.elapsedMs())}, ${this.amount(this.rate())}/s`;
  }

  private named(): string {
    return this.unit === "bytes" ? this.amount(this.value) : `${this.amount(this.value)} ${this.unit}`;
  }

  private rate(): number {
    const elapsedMs = this.elapsedMs();
    return elapsedMs > 0 ? this.value / (elapsedMs / 1_000) : 0;
  }

  private leftMs(): number | undefined {
    const rate = this.rate();
    return this.total === undefined || rate === 0 ? undefined : (Math.max(0, this.total - this.value) / rate) * 1_000;
  }

  private amount(value: number): string {
    return this.unit === "bytes" ? formatBytes(value) : formatCount(value);
  }
}

function startBar(meter: Meter, stream: NonNullable<ProgressOptions["stream"]>): Progress {
  let over = false;
  const bar = new cliProgress.SingleBar({
    // Written anew at each drawing: a terminal may be resized, and a line that wraps cannot be taken back.
    format: (_options, params) => {
      // A pseudo terminal may have no size, which is 0 then.
      const width = (stream.columns || 80) - 1;
      const text = over ? meter.result() : meter.standing();
      return truncate(`${meter.label} ${barOf(params.value, meter, width)}${text}`, width);
    },
    stream,
    fps: 8,
    // Signals are the program's business: it has slices to finish and a server to end.
    gracefulExit: false,
  });
  bar.start(meter.total ?? 0, 0);
  return {
    update(value) {
      meter.set(value);
      bar.update(value);
    },
    stop() {
      if (!over) {
        over = true;
        bar.stop();
      }
    },
  };
}

/** The bar with a space after it, or nothing where there is no total or no space. */
function barOf(value: number, { label, total }: Meter, width: number): string {
  const size = Math.min(BAR_SIZE.most, width - label.length - FIGURES_WIDTH - 2);
  if (!total || size < BAR_SIZE.least) {
    return "";
  }
  const full = Math.round(Math.min(1, value / total) * size);
  return `${"█".repeat(full)}${"░".repeat(size - full)} `;
}

function startLines(meter: Meter, stream: NodeJS.WritableStream, everyMs: number): Progress {
  let nextMs = everyMs > 0 ? everyMs : Infinity;
  let over = false;
  return {
    update(value) {
      meter.set(value);
      // No timer: what makes no progress has nothing to say, and nothing keeps the process alive.
      if (meter.elapsedMs() >= nextMs) {
        nextMs = meter.elapsedMs() + everyMs;
        stream.write(`${meter.label}: ${meter.standing()}\n`);
      }
    },
    stop() {
      if (!over) {
        over = true;
        stream.write(`${meter.label}: ${meter.result()}\n`);
      }
    },
  };
}
