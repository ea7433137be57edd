/** What to do next, in commands to copy. */
import pc from "picocolors";
import type { ReportStyle } from "../paper";
import { rank, type Question } from "./figures";
import type { DemoServer } from "../server";
import { routingOf } from "../../host/redis/partitions";

export interface EpilogueOptions {
  server: DemoServer;
  question: Question;
  /** Whether our own server goes on. */
  keep: boolean;
  /** `REDIS_URL`, if it is that. */
  url: string | undefined;
  /** More to say, each a sentence. */
  hints: readonly string[];
}

/** Renders what a person may try next; where the server ends with the demo, how to have it stay. */
export async function renderEpilogue(options: EpilogueOptions, { colors = false }: ReportStyle): Promise<string> {
  const { server, keep, hints } = options;
  const title = pc.createColors(colors).bold(pc.createColors(colors).green("Look further"));
  if (server.embedded && !keep) {
    return [title, ...hints, "The server ends with the demo; with --keep it stays until Ctrl-C.", ""].join("\n");
  }
  const stays = server.embedded ? ["", `The server stays on port ${server.embedded.port} until Ctrl-C.`] : [];
  return [title, ...hints, ...(await commands(options)), ...stays, ""].join("\n");
}

async function commands({ server, question, url }: EpilogueOptions): Promise<string[]> {
  const { fromMs, toMs } = question;
  const { ranked } = await rank(question, "P", 1);
  const call = await callPrefix(server, url);
  const fcall = (name: string, args = ""): string => `${call(name)}${args && ` ${args}`}`;
  const [top] = ranked;
  return [
    `${fcall("rotate_pg")}   # ${await rotationHint(server)}`,
    fcall("rank_pg", `P FROM ${fromMs} TO ${toMs}`),
    ...(top === undefined ? [] : [fcall("get_document", `P ${top[0]}`)]),
    fcall("get_tracker_status"),
  ];
}

/** The last rotation is left to the reader, where there is one. */
async function rotationHint({ client }: DemoServer): Promise<string> {
  const { tiers } = await client.functions.getTrackerStatus();
  const isDue = tiers.some(([, , , pending, lagMs]) => pending > 0 && lagMs > 0);
  return isDue ? "the last minutes wait for it" : "the next window is over within five minutes";
}

/** Everything of a call up to its arguments. */
async function callPrefix(
  { client, embedded }: DemoServer,
  url: string | undefined,
): Promise<(name: string) => string> {
  const { connection, partition } = client;
  const { routingKey } = routingOf(partition);
  const keys = routingKey === undefined ? "0" : `1 '${routingKey}'`;
  const target = embedded ? `-p ${embedded.port}` : await targetOf(connection, url!);
  return (name) => `redis-cli ${target} FCALL ${name} ${keys}`;
}

/** The URL may hold a password, and redis-cli knows neither clusters nor Sentinel by URL. */
async function targetOf(connection: DemoServer["client"]["connection"], url: string): Promise<string> {
  if (/^rediss?:/.test(url)) return '-u "$REDIS_URL"';
  const [primary] = await connection.primaries();
  const [, host, port] = /^(.*):(\d+)$/.exec(primary!.address)!;
  return `${connection.isCluster ? "-c " : ""}-h ${host} -p ${port}`;
}
