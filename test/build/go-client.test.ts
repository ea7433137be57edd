/* The client for Go: vet, form and its own tests; skipped where Go or the modules are not there. */
import { spawnSync } from "node:child_process";
import { beforeAll, expect, it } from "vitest";
import { outputOf } from "../support/client-programs";
import { loadLibrary } from "../support/functions";
import { describeWithOwnServer, useServer } from "../support/server";

const DIR = "clients/go";
/** Tests use no network: what is not in the machine's cache is not fetched, nor is another Go. */
const OFFLINE = { GOPROXY: "off", GOTOOLCHAIN: "local", GOFLAGS: "-mod=readonly" };
const isThere =
  spawnSync("go", ["list", "-deps", "-test", "./..."], { cwd: DIR, env: { ...process.env, ...OFFLINE } }).status === 0;
const because = isThere ? "" : " (skipped: Go 1.26 and the modules of clients/go are not there)";

describeWithOwnServer("the client for Go", () => {
  const server = useServer();
  beforeAll(async () => {
    for (const library of ["tracker", "notifier", "metadata", "catalog"]) await loadLibrary(server.client, library);
  });

  it.skipIf(!isThere)(`holds under go vet, as gofmt has it${because}`, async () => {
    expect(await outputOf("go", ["vet", "./..."], { cwd: DIR, env: OFFLINE })).toEqual({ code: 0, output: "" });
    expect(await outputOf("gofmt", ["-l", "."], { cwd: DIR, env: OFFLINE })).toEqual({ code: 0, output: "" });
  });

  it.skipIf(!isThere)(`passes its own tests${because}`, async () => {
    const env = { ...OFFLINE, HOTPATH_TEST_URL: server.url };
    const { code, output } = await outputOf("go", ["test", "-count=1", "-v", "./..."], { cwd: DIR, env });
    expect(code, output).toBe(0);
    expect(output).not.toContain("--- SKIP");
  });
});
