/** One seeded data set for many rounds: saved once, and loaded again before each. */
import type { Bench } from "./bench";

/** Writes the database to the server's folder. */
export async function save(bench: Bench): Promise<void> {
  await bench.call("SAVE");
}

/** Replaces the database by the one saved last. */
export async function restore(bench: Bench): Promise<void> {
  await bench.call("DEBUG", "RELOAD", "NOSAVE");
  await bench.libraries.reload();
}
