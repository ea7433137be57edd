/** `hotpath mirror <url>` */
import { loadConfig } from "../../config";
import { Host } from "../../serve/host";
import { createLogger } from "../../runtime/log";
import { KEYS } from "../../contract";
import { formatCount } from "../../terminal/format";
import { startProgress } from "../../terminal/progress";
import { stopOnSignals } from "../../runtime/signals";
import type { MirrorSummary } from "../../tracker/mirror/mirror";
import { MINUTE_MS } from "../../runtime/time";
import { chosenPartition, type PartitionOptions } from "../partition";

export interface MirrorCommandOptions extends PartitionOptions {
  stream?: string;
  name?: string;
  untilEmpty?: boolean;
  acceptGap?: boolean;
  again?: boolean;
  json?: boolean;
}

const say = (line: string): void => console.error(line);

/** Mirrors until the first signal, or to the end; exits with 1 where entries went missing and that was not accepted. */
export async function mirrorCommand(url: string, options: MirrorCommandOptions): Promise<void> {
  const config = loadConfig();
  const signal = stopOnSignals((name) => say(`${name}: stopping`));
  const { mirror } = await import("../../tracker/mirror/mirror");
  const host = new Host(config, createLogger("silent"));
  const progress = startProgress({ label: "Mirroring", unit: "entries", everyMs: MINUTE_MS });
  let summary: MirrorSummary;
  try {
    await host.prepare();
    const partition = chosenPartition(config, host.connection.isCluster, options);
    summary = await mirror(host.functions(partition), {
      url,
      stream: options.stream ?? KEYS.events,
      name: options.name,
      untilEmpty: options.untilEmpty ?? false,
      acceptGap: options.acceptGap ?? false,
      again: options.again ?? false,
      say,
      onProgress: (entries) => progress.update(entries),
      signal,
    });
  } finally {
    progress.stop();
    host.close();
  }
  process.stdout.write(`${options.json ? JSON.stringify(summary) : render(summary)}\n`);
  process.exit();
}

function render({ entries, accepted, rejected, missing, position }: MirrorSummary): string {
  const counted = `${formatCount(entries)} entries: ${formatCount(accepted)} counted, ${formatCount(rejected)} refused`;
  return `${counted}${missing > 0 ? `, ${formatCount(missing)} missing` : ""}; the last one is ${position ?? "none"}`;
}
