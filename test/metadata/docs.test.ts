import { readFileSync } from "node:fs";
import { beforeEach, expect, it } from "vitest";
import { connect } from "../../host/redis/connection";
import { deploy } from "../../host/deploy/deploy";
import { readBundle } from "../../host/deploy/libraries";
import { useServer } from "../support/server";

const server = useServer();
beforeEach(async () => {
  await server.flush();
  const connection = await connect(server.url);
  await deploy(connection, { libraries: readBundle() }).finally(() => connection.close());
});

/** Words of a line as a shell would take them: what stands in single quotes is one. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare!);
}

it("does what docs/metadata.md does by hand", async () => {
  const section = /^## By hand\n([^]*?)^## /m.exec(readFileSync("docs/metadata.md", "utf8"))![1]!;
  const lines = section.split("\n").filter((line) => /^FCALL/.test(line) && !/[<…]/.test(line));
  const replies: [string, unknown][] = [];
  for (const line of lines) replies.push([wordsOf(line)[1]!, await server.client.sendCommand(wordsOf(line))]);
  expect(replies).toMatchObject([
    ["configure_table", ["merge", "[[600,40000000,1],[3600,240000000,2]]", "layers", expect.any(String) as string]],
    ["patch_index", 1],
    ["query_index", ["0", expect.stringContaining('"row_count":4711') as string]],
    ["get_entry", expect.stringContaining('"row_count":4711') as string],
    ["list_folders", ["0", ["date=2026-11-20/hour=12", 1]]],
    ["get_table_status", expect.arrayContaining(["files", 1]) as unknown[]],
    [
      "get_merge_plan",
      expect.stringMatching(/"from":\["date=2026-11-20\\\/hour=12\\\/a81bc81b\.1\.parquet"\]/) as string,
    ],
  ]);
});
