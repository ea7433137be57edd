/**
 * One deploy at a time. Loading a library is atomic, but several libraries on several primaries are not: without this, a
 * deploy that fails could roll back what another has just loaded, and two versions deployed at once could end mixed.
 */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { performance } from "node:perf_hooks";
import { KEYS } from "../contract";
import type { Connection } from "../redis/connection";
import { UserError } from "../runtime/errors";
import { pause } from "../runtime/wait";
import { MINUTE_MS } from "../runtime/time";

const KEY = KEYS.deploy;
/** A deploy that was killed holds the others up for so long; one that works renews it at every step. */
const LEASE_MS = 15_000;
const PATIENCE_MS = MINUTE_MS;
const LOOK_MS = 100;

const ACQUIRE = `
if redis.call("HSETNX", KEYS[1], "token", ARGV[1]) == 0 and redis.call("HGET", KEYS[1], "token") ~= ARGV[1] then
  return redis.call("HGET", KEYS[1], "owner")
end
redis.call("HSET", KEYS[1], "owner", ARGV[2])
redis.call("PEXPIRE", KEYS[1], ARGV[3])
return false`;

const RELEASE = `
if redis.call("HGET", KEYS[1], "token") == ARGV[1] then redis.call("DEL", KEYS[1]) end
return 1`;

export interface DeployLock {
  /**
   * Renews the lease.
   * @throws UserError if another deploy has taken over
   */
  renew(): Promise<void>;
}

/**
 * Runs `work` while no other deploy to this Redis runs, waiting for up to a minute.
 *
 * @throws UserError if another deploy holds the lock all that time, and what `work` throws
 */
export async function withDeployLock<T>(connection: Connection, work: (lock: DeployLock) => Promise<T>): Promise<T> {
  const token = randomUUID();
  const owner = `${hostname()}, process ${process.pid}`;
  const tryAcquire = async (): Promise<string | null> =>
    (await connection.send(["EVAL", ACQUIRE, "1", KEY, token, owner, String(LEASE_MS)], { routingKey: KEY })) as
      string | null;

  await acquire(tryAcquire);
  try {
    return await work({
      renew: async () => {
        const other = await tryAcquire();
        if (other !== null)
          throw new UserError(`this deploy was held up for over ${LEASE_MS / 1000} s, and ${other} has begun another`);
      },
    });
  } finally {
    // If Redis is gone, the lease ends by itself.
    await connection.send(["EVAL", RELEASE, "1", KEY, token], { routingKey: KEY }).catch(() => undefined);
  }
}

async function acquire(tryAcquire: () => Promise<string | null>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const other = await tryAcquire();
    if (other === null) return;
    if (performance.now() > deadline) throw new UserError(`another deploy is running (${other}); nothing was deployed`);
    await pause(LOOK_MS * (0.5 + Math.random()));
  }
}
