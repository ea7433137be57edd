/* What a person gets wrong at the keyboard, on a cluster above all, and what is said of it. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { keyIn } from "../../host/redis/partitions";
import { KEYS } from "../../host/contract";
import { functionsOf } from "../../host/deploy/client";
import { stopped, useClusterHosts, useHosts } from "../support/host";
import { HOTPATH } from "../support/processes";
import { describeWithOwnServer } from "../support/server";

interface Outcome {
  code: number | null;
  out: string;
  errors: string;
}

const LINE = (at: number): string =>
  JSON.stringify({ url: `https://a.example/${at}`, uui: `d${at}`, dt: Date.now() - 60_000 });

const dir = mkdtempSync(join(tmpdir(), "hotpath-test-"));
const events = join(dir, "events.jsonl");
beforeAll(() => writeFileSync(events, `${LINE(1)}\n${LINE(2)}\n`));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describeWithOwnServer("in a cluster", () => {
  const { cluster, connection, configure, hotpath } = useClusterHosts(3);
  const single = useHosts();
  const nodeOf = (at: number): string => `127.0.0.1:${cluster.nodes[at]!.server.port}`;

  async function run(config: object, ...args: string[]): Promise<Outcome> {
    const command = hotpath(await configure(config), args);
    const { code } = await command.exit;
    return { code, out: command.lines.join("\n"), errors: command.errors.join("\n") };
  }

  it.each([
    [["deploy"], {}],
    [["deploy", "--dry-run"], { notifier: { topics: { parcels: { partition: "eu" } } } }],
    [["status"], {}],
    [["notify", "list"], { notifier: { topics: { parcels: { partition: "eu" } } } }],
    [["catalog", "counts"], { catalog: { partition: "shops" } }],
    [["catalog", "tasks"], { catalog: { partition: "shops" } }],
  ])("%j needs no partition of the tracker", async (args, config) => {
    expect(await run(config, ...args)).toMatchObject({ code: 0, errors: "" });
  });

  it.each([
    [["top", "--once"], "tracker.partitions: a cluster needs at least one, which says where the keys are"],
    [["series", "a.example"], "tracker.partitions: a cluster needs at least one, which says where the keys are"],
    [["serve"], "tracker.partitions: a cluster needs at least one, which says where the keys are"],
    [["catalog", "counts"], "catalog.partition: a cluster needs it, to say where the keys are"],
    [["catalog", "tasks"], "catalog.partition: a cluster needs it, to say where the keys are"],
    [["catalog", "recent"], "catalog.partition: a cluster needs it, to say where the keys are"],
    [["import", events], "in a cluster, --partition names the partition that the events belong to"],
  ])("%j says which setting is missing", async (args, message) => {
    expect(await run({}, ...args)).toMatchObject({ out: "", errors: expect.stringContaining(message) as string });
  });

  it("says so where the tracker is configured, and not where it is", async () => {
    const { code, errors } = await run({ tracker: { maxlen: 1000 } }, "deploy");
    expect(code).toBe(1);
    expect(errors).toMatch(/tracker\.partitions: a cluster needs at least one, which says where the keys are$/);
  });

  it("a host without partitions serves the others, and says that it leaves the tracker alone", async () => {
    const topics = { parcels: { partition: "eu", courier: { type: "stdout" } } };
    const host = hotpath(await configure({ notifier: { topics } }), ["serve"]);
    await expect.poll(() => host.errors.join("\n"), { timeout: 20_000 }).toContain("the tracker is left alone");
    await expect.poll(() => host.errors.join("\n"), { timeout: 20_000 }).toContain("redis is ready");
    await stopped(host);
    expect(host.errors.join("\n")).not.toMatch(/rotate|expire|ingest/);
  });

  it.each(["import", "mirror"])("%s refuses a partition that is not configured, unless told to", async (command) => {
    const tracker = { partitions: ["today", "rtl"] };
    const what = command === "import" ? [events] : [single.server.url, "--until-empty", "--stream", "ST:TRACKER::::"];
    expect(await run({ tracker }, command, ...what, "--partition", "tody")).toEqual({
      code: 2,
      out: "",
      errors: expect.stringMatching(
        /^(Mirroring.*\n)?hotpath: tracker\.partitions names today, rtl, and not 'tody': no host would rotate what is counted there; --any-partition counts it all the same$/,
      ) as string,
    });
    if (command === "import") {
      expect(await run({ tracker }, command, ...what, "--partition", "tody", "--dry-run")).toMatchObject({ code: 2 });
      expect(await functionsOf(connection, { partition: "tody" }).getTrackerStatus()).toMatchObject({ pages: 0 });
    }
    expect(await run({ tracker }, command, ...what, "--partition", "today")).toMatchObject({ code: 0 });
    expect(await run({ tracker }, command, ...what, "--partition", "tody", "--any-partition")).toMatchObject({
      code: 0,
    });
  });

  it("mirror of one node says how the whole cluster is written", async () => {
    // Slots 2482, 8159 and 13827: one on each of the three primaries.
    const stream = keyIn(KEYS.events, "infos");
    const mirror = single.hotpath(await single.configure({}), [
      ...["mirror", `redis://${nodeOf(0)}`, "--until-empty", "--stream", stream],
    ]);
    expect((await mirror.exit).code).toBe(1);
    expect(mirror.errors.at(-1)).toBe(
      `hotpath: ${nodeOf(0)} is a node of a cluster, and ${stream} is on another one; write redis+cluster://${nodeOf(0)}, which finds it`,
    );
    const whole = single.hotpath(await single.configure({}), [
      ...["mirror", `redis+cluster://${nodeOf(0)}`, "--until-empty", "--stream", stream],
    ]);
    expect((await whole.exit).code, whole.errors.join("\n")).toBe(0);
  });

  it("a host of many partitions has many who wait, and warns of no leak", async () => {
    const partitions = Array.from({ length: 8 }, (_, at) => `p${at}`);
    const host = hotpath(await configure({ tracker: { partitions } }), ["serve"]);
    for (const partition of partitions) await host.line(new RegExp(`"job":"expire ${partition}".*"msg":"kept up"`));
    await stopped(host);
    expect(host.errors).toEqual([]);
  });
});

describe("a reader that has enough", () => {
  const { configure, server } = useHosts();

  it.each([
    [["status"]],
    [["status", "--json"]],
    [["top", "--json"]],
    [["deploy"]],
    [["--help"]],
    [["index", "status"]],
  ])("ends %j without a word", async (args) => {
    const child = spawn(process.execPath, [HOTPATH, ...args], {
      env: { ...process.env, REDIS_URL: server.url, CONFIG_PATH: await configure({}), ENV: undefined },
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.stdout.destroy();
    let errors = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
    const code = await new Promise((resolve) => child.once("close", resolve));
    expect({ code, errors }).toEqual({ code: 0, errors: "" });
  });
});
