/* What the documents tell to paste works, and what they list is complete. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { beforeAll, expect, it } from "vitest";
import { readBundle } from "../../host/deploy/libraries";
import { decodeRecord, readDeclarations } from "../support/functions";
import { useTracker } from "../support/tracker";

const tracker = useTracker();
beforeAll(() => tracker.server.flush());

/** What a shell makes of lines that call redis-cli: the words of each call. */
function shellWords(script: string): string[][] {
  const stub = `redis_cli() { for each in "$@"; do printf '%s\\0' "$each"; done; printf '\\0'; }`;
  const printed = execFileSync("sh", ["-c", `${stub}\n${script.replaceAll("redis-cli", "redis_cli")}`], {
    encoding: "utf8",
  });
  return printed
    .split("\0\0")
    .filter((call) => call !== "")
    .map((call) => call.split("\0"));
}

it("the first events of README are counted when they are pasted", async () => {
  const script = /```sh\n(now=[^]*?)```/.exec(readFileSync("README.md", "utf8"))![1]!;
  const calls = shellWords(script);
  expect(calls.map(([, name]) => name)).toEqual([
    "track_events",
    "ST:TRACKER::::",
    "ingest_events",
    "rank_pg",
    "get_document",
  ]);
  const replies: unknown[] = [];
  for (const words of calls) replies.push(await tracker.client.sendCommand(words));
  expect(decodeRecord(replies[0])).toMatchObject({ accepted: 1, rejected: 0 });
  expect(decodeRecord(replies[2])).toMatchObject({ read: 1, accepted: 1 });
  expect(decodeRecord(replies[3])["ranking"]).toEqual([[expect.any(String), 2]]);
  expect(JSON.parse(replies[4] as string)).toMatchObject({ name: "RTL.LU" });
});

it("the codes of errors are each explained in docs/clients.md, and the reasons of BADEVENT named", () => {
  const page = readFileSync("docs/clients.md", "utf8");
  const codes = new Set(readBundle().flatMap(({ name }) => readDeclarations(name).flatMap(({ errors }) => errors)));
  for (const code of [...codes, "TRYAGAIN"]) expect(page).toMatch(new RegExp(`^\\| \`${code}\``, "m"));
  const reasons = /^export type Reason = (.*);$/m.exec(readFileSync("functions/tracker/events.ts", "utf8"))![1]!;
  for (const [, reason] of reasons.matchAll(/"(\w+)"/g)) expect(page).toContain(`\`${reason}\``);
});
