/** `hotpath status` */
import { loadConfig } from "../../config";
import { withConnection } from "../../redis/connection";
import { topicsOf } from "../../notifier/topics";
import { readBundle } from "../../deploy/libraries";
import { isInStep, readStatus } from "./read";
import { findProblems } from "./problems";
import { renderStatus } from "./render";
import { colorsOf, WIDTH } from "../../terminal/output";

export interface StatusCommandOptions {
  check?: boolean;
  json?: boolean;
}

/** Prints what is loaded, how the tracker is doing, and what is wrong. */
export async function statusCommand(options: StatusCommandOptions): Promise<void> {
  const { redis, tracker, notifier } = loadConfig();
  const bundle = readBundle();
  await withConnection(redis.url, async (connection) => {
    const status = await readStatus(connection, bundle, tracker.partitions, tracker.streams, topicsOf(notifier));
    const inStep = isInStep(status, bundle);
    const problems = findProblems(status);
    const style = { width: WIDTH, colors: colorsOf(process.stdout, process.env) };
    console.log(
      options.json ? JSON.stringify({ inStep, problems, ...status }) : renderStatus(status, problems, style).join("\n"),
    );
    if (options.check && (!inStep || problems.length > 0)) process.exitCode = 1;
  });
}
