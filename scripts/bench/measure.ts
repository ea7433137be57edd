/** Sides measured in turn, so that whatever else the machine does falls on all of them. */
import type { Bench } from "./bench";
import { COMPILED, type LibraryName } from "./libraries";

/** One of the things compared. */
export interface Side {
  label: string;
  /** What is on the server meanwhile: the compiled libraries if it does not say. */
  libraries?: readonly LibraryName[];
  /** Brings the database into the state to start from; not measured. */
  prepare(): Promise<void>;
  /** Does the work; milliseconds as the client sees them. */
  run(): Promise<number>;
}

/** What one round took. */
export interface Sample {
  wallMs: number;
  /** Processor time of the server: hardly touched by what else the machine does. */
  cpuMs: number;
}

/** The samples of each side, round by round. */
export type Samples = Record<string, Sample[]>;

/** The value in the middle. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value below which the given share of the values lies, by the nearest rank. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

async function sample(bench: Bench, side: Side): Promise<Sample> {
  await bench.libraries.use(side.libraries ?? COMPILED);
  await side.prepare();
  await bench.libraries.collectGarbage();
  const before = await bench.cpuMs();
  const wallMs = await side.run();
  return { wallMs, cpuMs: (await bench.cpuMs()) - before };
}

/** Every other round runs backwards: a drift of the machine's speed then favours nobody. */
function orderOf<T>(items: readonly T[], round: number): T[] {
  return round % 2 === 0 ? [...items] : [...items].reverse();
}

/** Runs all sides once to warm up, and then round after round. */
export async function interleave(bench: Bench, sides: readonly Side[], rounds: number): Promise<Samples> {
  const samples: Samples = Object.fromEntries(sides.map((side) => [side.label, []]));
  for (let round = 0; round <= rounds; round += 1) {
    for (const side of orderOf(sides, round)) {
      const measured = await sample(bench, side);
      if (round > 0) samples[side.label]!.push(measured);
    }
    process.stderr.write(".");
  }
  process.stderr.write("\n");
  return samples;
}

/** How much faster a side is than another: the median of the rounds' ratios, by the clock and by processor time. */
export interface Ratio {
  wall: number;
  cpu: number;
}

/** The speed of `ours` in speeds of `theirs`. */
export function ratioOf(samples: Samples, ours: string, theirs: string): Ratio {
  const pairs = samples[ours]!.map((own, round) => [own, samples[theirs]![round]!] as const);
  return {
    wall: median(pairs.map(([own, other]) => other.wallMs / own.wallMs)),
    cpu: median(pairs.map(([own, other]) => other.cpuMs / own.cpuMs)),
  };
}

/** How many of something a side does in a second. */
export function rateOf(samples: Samples, label: string, count: number): number {
  return (1000 * count) / median(samples[label]!.map((each) => each.wallMs));
}
