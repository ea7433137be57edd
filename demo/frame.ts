/** What the demos of simulated days are alike in: a server, a report, and checks that hold or make the exit code 1. */
import { judge, type Check } from "./checks";
import { styleOf, type ReportStyle } from "./paper";
import { interruptible, requireRunning } from "./interruption";
import { checkPlainOptions, type DemoOptions } from "./options";
import { openServer, type DemoServer } from "./server";
import type { DemoClient } from "./client";

/** What came of a demo: whatever it is, it was checked. */
export interface Checked {
  checks: readonly Check[];
}

export interface Simulation<R extends Checked> {
  /** The library, as people call it. */
  what: string;
  /** @throws UserError where the demo would get into the way of what is in the database */
  refuse: (client: DemoClient) => Promise<void>;
  live: (server: DemoServer, seed: number, signal: AbortSignal) => Promise<R>;
  render: (result: R, style: Required<ReportStyle>) => string;
}

/** To standard error: standard output is for the report. */
export function say(message: string): void {
  console.error(message);
}

/**
 * Runs a demo. Messages and progress go to standard error, the report to standard output; exits with 1 unless all checks hold.
 *
 * @throws UsageError, UserError and others whose message is for the person who asked
 */
export async function runSimulation<R extends Checked>(simulation: Simulation<R>, options: DemoOptions): Promise<void> {
  checkPlainOptions(options, simulation.what);
  await interruptible((signal) => demonstrate(simulation, options, signal), say);
}

async function demonstrate<R extends Checked>(
  { refuse, live, render }: Simulation<R>,
  options: DemoOptions,
  signal: AbortSignal,
): Promise<void> {
  const server = await openServer({ url: process.env["REDIS_URL"], force: false, log: say, refuse });
  try {
    requireRunning(signal);
    const result = await live(server, options.seed ?? 1, signal);
    process.stdout.write(
      options.json ? `${JSON.stringify(result)}\n` : render(result, styleOf(process.stdout, process.env)),
    );
    judge(result.checks);
  } finally {
    await server.close();
  }
}
