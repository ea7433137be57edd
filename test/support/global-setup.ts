import { GenericContainer } from "testcontainers";
import type { TestProject } from "vitest/node";
import { ensureServer, type ServerProgram } from "../../host/embedded/embedded";

/** What the tests run against. */
export type TestRedis =
  /** Each file starts a server of its own from this program. */
  | { mode: "own"; program: ServerProgram }
  /** All files share this server, each with a database of its own. */
  | { mode: "shared"; url: string };

declare module "vitest" {
  interface ProvidedContext {
    redis: TestRedis;
  }
}

const IMAGE = "redis:7";
const PORT = 6379;

/**
 * Decides once for all files what they run against: `REDIS_URL` if set, else a server of this machine, fetched if need
 * be, else a container.
 * @returns what ends it.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const url = process.env["REDIS_URL"];
  if (url) {
    project.provide("redis", { mode: "shared", url });
    return nothing;
  }
  try {
    const program = await ensureServer({ docker: false, log: (message) => console.error(message) });
    project.provide("redis", { mode: "own", program });
    return nothing;
  } catch (noServer) {
    return useContainer(project, noServer as Error);
  }
}

async function useContainer(project: TestProject, noServer: Error): Promise<() => Promise<void>> {
  // A wrong HOTPATH_SERVER must be seen, not worked around; and who forbids fetching forbids an image too.
  if (process.env["HOTPATH_SERVER"] || process.env["HOTPATH_NO_INSTALL"] === "1") throw noServer;
  try {
    const container = await new GenericContainer(IMAGE).withExposedPorts(PORT).start();
    project.provide("redis", {
      mode: "shared",
      url: `redis://${container.getHost()}:${container.getMappedPort(PORT)}`,
    });
    return async () => void (await container.stop());
  } catch (noDocker) {
    throw new Error(`${noServer.message}\nDocker would do too, but: ${(noDocker as Error).message}`, {
      cause: noServer,
    });
  }
}

async function nothing(): Promise<void> {
  // The files stop the servers that they started.
}
