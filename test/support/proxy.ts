/** A proxy between a client and Redis, over real sockets: it may fall silent, be slow, or lose a reply. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { onTestFinished } from "vitest";

export interface TestProxy {
  readonly port: number;
  /** How many connections were ever made. */
  readonly connections: number;
  /** From now on nothing of what Redis says gets through, and no connection is closed. */
  silence(): void;
  /** New connections get through again; those that fell silent stay so. */
  recover(): void;
  /**
   * The next command with `mark` in it reaches Redis, and its reply reaches nobody: the connection is cut, or stays open and silent.
   * When it comes again it is let through.
   */
  lose(mark: string, how: "cut" | "stall"): void;
}

/**
 * Starts a proxy, which ends with the test.
 *
 * @param delayMs how much later what Redis says arrives
 */
export async function startProxy(redisPort: number, delayMs = 0): Promise<TestProxy> {
  const sockets = new Set<Socket>();
  const silent = new WeakSet<Socket>();
  let isSilent = false;
  let connections = 0;
  let loss: { mark: string; how: "cut" | "stall" } | undefined;
  const server = createServer((near) => {
    connections += 1;
    const far = connect(redisPort, "127.0.0.1");
    if (isSilent) silent.add(near);
    for (const each of [near, far]) {
      sockets.add(each);
      each.on("error", () => undefined);
      each.on("close", () => {
        near.destroy();
        far.destroy();
      });
    }
    let isCut = false;
    near.on("data", (data) => {
      if (loss && data.includes(loss.mark)) {
        if (loss.how === "cut") isCut = true;
        else silent.add(near);
        loss = undefined;
      }
      far.write(data);
    });
    far.on("data", (data) => {
      if (isCut) near.destroy();
      setTimeout(() => {
        if (!silent.has(near) && !near.destroyed) near.write(data);
      }, delayMs);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    for (const each of sockets) each.destroy();
  });
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections;
    },
    silence: () => {
      isSilent = true;
      for (const each of sockets) silent.add(each);
    },
    recover: () => void (isSilent = false),
    lose: (mark, how) => void (loss = { mark, how }),
  };
}
