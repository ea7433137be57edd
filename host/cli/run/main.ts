/** `hotpath run <job>` */
import { loadConfig } from "../../config";
import { createLogger } from "../../runtime/log";
import { deliversToStdout } from "../../notifier/config";
import type { Job } from "../../serve/jobs";
import { runJob } from "../../serve/run";
import { stopOnSignals } from "../../runtime/signals";

/** Does one job once and prints one line of JSON, on standard error where notifications have the output; exits with 1 if it failed or was ended before its time. */
export async function runCommand(job: Job): Promise<void> {
  const config = loadConfig();
  // The summary is all that belongs on stdout.
  const summary = await runJob(config, job, createLogger("silent"), stopOnSignals());
  const line = JSON.stringify(summary);
  if (job === "notify" && deliversToStdout(config)) console.error(line);
  else console.log(line);
  if (summary.error) console.error(`hotpath: ${summary.error}`);
  process.exit(summary.ok ? 0 : 1);
}
