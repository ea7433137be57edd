/* The client for Python: its own tests by pytest, and its types by mypy; skipped where these are not there. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { outputOf, PYTHON } from "../support/client-programs";
import { loadLibrary } from "../support/functions";
import { describeWithOwnServer, useServer } from "../support/server";

const CHECK =
  "import sys, redis, pytest; sys.exit(int(redis.__version__.split('.')[0]) < 5 or sys.version_info < (3, 10))";
const isThere = spawnSync(PYTHON, ["-c", CHECK]).status === 0;
const hasMypy = isThere && spawnSync(PYTHON, ["-c", "import mypy"]).status === 0;
const because = (is: boolean, what: string): string => (is ? "" : ` (skipped: ${what})`);

it("has the version of the package", () => {
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  expect(readFileSync("clients/python/pyproject.toml", "utf8")).toContain(`\nversion = "${version}"\n`);
});

describeWithOwnServer("the client for Python", () => {
  const server = useServer();
  let copy = "";
  beforeAll(async () => {
    for (const library of ["tracker", "notifier", "metadata", "catalog"]) await loadLibrary(server.client, library);
    copy = mkdtempSync(join(tmpdir(), "hotpath-python-"));
    cpSync("clients/python", copy, { recursive: true });
  });
  afterAll(() => rmSync(copy, { recursive: true, force: true }));

  it.skipIf(!isThere)(
    `passes its own tests${because(isThere, "Python 3.10, redis 5 and pytest are not there")}`,
    async () => {
      const env = { HOTPATH_TEST_URL: server.url, PYTHONPATH: copy, PYTHONDONTWRITEBYTECODE: "1" };
      const { code, output } = await outputOf(PYTHON, ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"], {
        cwd: copy,
        env,
      });
      expect(code, output).toBe(0);
    },
  );

  it.skipIf(!hasMypy)(`holds under mypy --strict${because(hasMypy, "mypy is not there")}`, async () => {
    const args = ["-m", "mypy", "--strict", "--cache-dir", join(copy, ".mypy"), "hotpath", "tests"];
    const { code, output } = await outputOf(PYTHON, args, { cwd: copy });
    expect(code, output).toBe(0);
  });
});
