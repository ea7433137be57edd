import { beforeEach, describe, expect, it } from "vitest";
import { withConnection, type Connection } from "../../host/redis/connection";
import { deploy, healPrimary } from "../../host/deploy/deploy";
import { listLoaded, readBundle } from "../../host/deploy/libraries";
import { isInStep, readStatus } from "../../host/cli/status/read";
import { runHotpath } from "../support/processes";
import { describeWithOwnServer, useServer } from "../support/server";
import { testLibrary } from "../support/libraries";

// Functions belong to a server and not to a database.
describeWithOwnServer("deploying", () => {
  const server = useServer();

  beforeEach(async () => {
    await server.client.sendCommand(["FUNCTION", "FLUSH"]);
    await server.flush();
  });

  const connected = <T>(work: (connection: Connection) => Promise<T>): Promise<T> => withConnection(server.url, work);

  const deployed = (...libraries: ReturnType<typeof testLibrary>[]) =>
    connected((connection) => deploy(connection, { libraries }));
  const call = (name: string) => server.client.sendCommand(["FCALL", name, "0"]);
  /** In the order of names: the server has none. */
  const dump = async () => {
    const libraries = (await server.client.sendCommand(["FUNCTION", "LIST", "WITHCODE"])) as unknown as unknown[];
    return libraries.map(String).sort().join("\n");
  };

  it("loads what is missing, replaces what differs, keeps what is the same", async () => {
    const alpha = testLibrary("alpha", { functions: ["a"] });
    const first = await deployed(alpha);
    expect(first.primaries[0]?.libraries).toMatchObject([
      { library: "alpha", action: "load", from: null, hash: alpha.hash },
    ]);

    const newer = testLibrary("alpha", { functions: ["a"], version: "2.0.0" });
    const second = await deployed(newer, testLibrary("beta"));
    expect(second.primaries[0]?.libraries).toMatchObject([
      { library: "alpha", action: "replace", from: { version: "1.0.0", hash: alpha.hash }, version: "2.0.0" },
      { library: "beta", action: "load" },
    ]);
    expect(await call("a")).toBe("2.0.0");

    const third = await deployed(newer, testLibrary("beta"));
    expect(third).toMatchObject({
      changed: false,
      primaries: [{ libraries: [{ action: "keep" }, { action: "keep" }] }],
    });
  });

  it("writes nothing, not even its lock, where nothing differs", async () => {
    await deployed(testLibrary("alpha"));
    const before = await server.client.info("persistence");
    await deployed(testLibrary("alpha"));
    expect(changesOf(await server.client.info("persistence"))).toBe(changesOf(before));
    expect(await server.client.dbSize()).toBe(0);
  });

  it("replaces code that bears the right hash and is not the right code", async () => {
    const alpha = testLibrary("alpha", { functions: ["a"] });
    await server.client.sendCommand(["FUNCTION", "LOAD", alpha.code.replaceAll("1.0.0", "6.6.6")]);
    await deployed(alpha);
    expect(await call("a")).toBe("1.0.0");
  });

  it("changes nothing in a dry run, and says what it would do", async () => {
    const report = await connected((connection) =>
      deploy(connection, { libraries: [testLibrary("alpha")], dryRun: true }),
    );
    expect(report).toMatchObject({ dryRun: true, changed: true, primaries: [{ libraries: [{ action: "load" }] }] });
    expect(await dump()).toBe("");
  });

  it("reports a function name that another library holds, with its name, and changes nothing", async () => {
    await server.client.sendCommand(["FUNCTION", "LOAD", testLibrary("legacy", { functions: ["shared"] }).code]);
    const before = await dump();
    const attempt = deployed(testLibrary("alpha"), testLibrary("beta", { functions: ["shared"] }));
    await expect(attempt).rejects.toThrow("nothing was deployed; ");
    await expect(attempt).rejects.toThrow("library 'legacy' already holds function 'shared', which 'beta' registers");
    expect(await dump()).toBe(before);
  });

  it("does not replace a library of the same name that is somebody else's", async () => {
    await server.client.sendCommand([
      "FUNCTION",
      "LOAD",
      "#!lua name=alpha\nredis.register_function('theirs', function() return 1 end)",
    ]);
    await expect(deployed(testLibrary("alpha"))).rejects.toThrow("a library 'alpha' that is not ours is loaded");
    expect(await call("theirs")).toBe(1);
  });

  it("rolls back what it has loaded and replaced when a later library fails, and leaves others alone", async () => {
    const old = testLibrary("alpha", { functions: ["a"] });
    await deployed(old);
    await server.client.sendCommand(["FUNCTION", "LOAD", testLibrary("theirs", { functions: ["t"] }).code]);
    const before = await dump();
    const attempt = deployed(
      testLibrary("alpha", { functions: ["a"], version: "2.0.0" }),
      testLibrary("beta", { functions: ["b"] }),
      testLibrary("gamma", { body: "this is not Lua" }),
    );
    await expect(attempt).rejects.toThrow(/^deploying failed, all libraries are as they were; .*'gamma'/);
    expect(await dump()).toBe(before);
    expect(await call("a")).toBe("1.0.0");
  });

  it("rolls back a library that loads and does not answer as it should", async () => {
    const beta = testLibrary("beta", { functions: ["b"] });
    const liar = { ...beta, hash: "0".repeat(40) };
    await expect(deployed(testLibrary("alpha"), liar)).rejects.toThrow("loaded, but it answers 1.0.0");
    expect(await dump()).toBe("");
  });

  it("leaves no lock behind, after success and after failure", async () => {
    await deployed(testLibrary("alpha"));
    await expect(deployed(testLibrary("beta", { body: "error('no')" }))).rejects.toThrow("deploying failed");
    expect(await server.client.dbSize()).toBe(0);
  });

  it("waits for a deploy that is running", async () => {
    await server.client.hSet("H:DEPLOY::::", { token: "somebody's", owner: "somebody" });
    const waiting = deployed(testLibrary("alpha"));
    let ended = false;
    void waiting.finally(() => (ended = true));
    // It has asked for the lock, more than once, and been refused.
    const asked = async () =>
      Number(/cmdstat_eval:calls=(\d+)/.exec(await server.client.info("commandstats"))?.[1] ?? 0);
    const from = await asked();
    await expect.poll(asked, { timeout: 10_000 }).toBeGreaterThan(from + 2);
    expect(ended).toBe(false);
    await server.client.del("H:DEPLOY::::");
    expect((await waiting).changed).toBe(true);
  });

  it("heals what is missing and never replaces another version", async () => {
    const bundle = [testLibrary("alpha", { functions: ["a"] }), testLibrary("beta")];
    const heal = (libraries: typeof bundle) =>
      connected(async (connection) => healPrimary(await connection.primaryOf(), libraries));
    expect(await heal(bundle)).toEqual(["alpha", "beta"]);
    expect(await call("a")).toBe("1.0.0");
    expect(await heal([testLibrary("alpha", { functions: ["a"], version: "2.0.0" })])).toEqual([]);
    expect(await call("a")).toBe("1.0.0");
  });

  it("shows what is in step, differs, is missing or foreign", async () => {
    const bundle = ["same", "differs", "missing"].map((name) => testLibrary(name));
    await deployed(
      bundle[0]!,
      testLibrary("differs", { version: "0.9.0" }),
      testLibrary("other", { functions: ["x"] }),
    );
    const status = await connected((connection) => readStatus(connection, bundle, []));
    expect(status.primaries[0]?.server).toMatch(/^(redis|valkey) \d+\.\d+\.\d+$/);
    expect(status.primaries[0]?.libraries.map(({ library, state, version }) => [library, state, version])).toEqual([
      ["same", "in step", "1.0.0"],
      ["differs", "differs", "0.9.0"],
      ["missing", "missing", null],
      ["other", "foreign", null],
    ]);
    expect(isInStep(status, bundle)).toBe(false);
    expect(isInStep(status, [bundle[0]!])).toBe(true);
  });

  describe("from the command line", () => {
    const env = () => ({ REDIS_URL: server.url, CONFIG_PATH: undefined, ENV: undefined });

    it("ends in the same state when ten deploy at once", async () => {
      const [library] = readBundle();
      await server.client.sendCommand(["FUNCTION", "LOAD", testLibrary(library!.name, { version: "0.0.1" }).code]);
      const deploys = Array.from({ length: 10 }, () => runHotpath(["deploy", "--json"], { env: env() }));
      const exits = await Promise.all(deploys.map(({ exit }) => exit));
      expect(deploys.flatMap(({ errors }) => errors)).toEqual([]);
      expect(exits.map(({ code }) => code)).toEqual(Array(10).fill(0));
      const changed = deploys.filter(({ lines }) => (JSON.parse(lines[0]!) as { changed: boolean }).changed);
      expect(changed).toHaveLength(1);
      const loaded = await connected(async (connection) =>
        listLoaded(
          (await connection.primaries())[0]!,
          readBundle().map(({ name }) => name),
        ),
      );
      expect(loaded.map(({ own }) => own?.code).sort()).toEqual(
        readBundle()
          .map(({ code }) => code)
          .sort(),
      );
      expect(await server.client.dbSize()).toBe(0);
    });

    it("prints one line for a mistake: 2 for the command line, 1 for the rest", async () => {
      const cases: [string[], Record<string, string | undefined>, number, RegExp][] = [
        [["deploy", "--library", "nonesuch"], {}, 2, /there is no library 'nonesuch'; there is tracker/],
        [["deploy", "--nonesuch"], {}, 2, /unknown option '--nonesuch'/],
        [["nonesuch"], {}, 2, /unknown command 'nonesuch'/],
        [["run", "nonesuch"], {}, 2, /nonesuch.*ingest, rotate, rotate-pg, rotate-ud/],
        [["deploy"], { REDIS_URL: "redis://user:secret@127.0.0.1:1" }, 1, /cannot connect to 127\.0\.0\.1:1/],
        [
          ["deploy"],
          { REDIS_URL: "http://user:secret@127.0.0.1" },
          1,
          /REDIS_URL: 'http:\/\/\*\*\*@127\.0\.0\.1' is not a Redis URL/,
        ],
        [
          ["deploy"],
          {
            REDIS_URL: `${server.url.replace("redis://", "redis+cluster://")}`,
            CONFIG_PATH: "test/data/partitions.json",
          },
          1,
          /is not a cluster/,
        ],
        [["status"], { CONFIG_PATH: "nonesuch.json" }, 1, /nonesuch\.json: there is no such file/],
      ];
      const runs = cases.map(([args, more]) => runHotpath(args, { env: { ...env(), ...more } }));
      for (const [at, run] of runs.entries()) {
        const [, , code, pattern] = cases[at]!;
        expect((await run.exit).code, run.errors.join("\n")).toBe(code);
        expect(run.errors).toHaveLength(1);
        expect(run.errors[0]).toMatch(pattern);
        expect(run.errors[0]).not.toContain("secret");
        expect(run.lines).toEqual([]);
      }
    });

    it("tells drift by its exit code", async () => {
      const missing = runHotpath(["status", "--check"], { env: env() });
      expect((await missing.exit).code).toBe(1);
      expect(missing.lines.join("\n")).toMatch(/tracker\s+missing/);
      await runHotpath(["deploy"], { env: env() }).exit;
      const inStep = runHotpath(["status", "--check", "--json"], { env: env() });
      expect((await inStep.exit).code).toBe(0);
      expect(JSON.parse(inStep.lines[0]!)).toMatchObject({
        inStep: true,
        primaries: [{ libraries: readBundle().map(() => ({ state: "in step" })) }],
      });
    });
  });
});

function changesOf(info: string): string | undefined {
  return /rdb_changes_since_last_save:(\d+)/.exec(info)?.[1];
}
