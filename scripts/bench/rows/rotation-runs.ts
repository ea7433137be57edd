/** What the rows of both rotations do alike: the check of a twin, and calls in sequence with a PING beside them. */
import type { Bench } from "../bench";
import { COMPILED } from "../libraries";
import { pingWhile, type Waits } from "../ping";
import { requireSame, takePicture } from "../same-data";
import { restore } from "../saved";
import { rotateInSequence, rotationData, type RotationData } from "./rotation-data";
import { HOUR_MS } from "../../../host/runtime/time";

const TWIN_PAGES = 2000;
/** Later than everything is due: all tiers are made. */
const HOURS_LATER_MS = 4 * HOUR_MS;

/** Fails unless `name` and `twin_<name>` make the same of the same data. */
export async function requireTwin(
  bench: Bench,
  name: string,
  commandsOf: (data: RotationData) => Buffer[],
): Promise<void> {
  await bench.libraries.use([...COMPILED, "rotation twin"]);
  const data = rotationData(TWIN_PAGES);
  const options = ["NOW", data.startMs + HOURS_LATER_MS];
  const pictures = [];
  for (const each of [name, `twin_${name}`]) {
    await bench.flush();
    await bench.pipeline(commandsOf(data));
    await rotateInSequence(bench, each, ...options);
    pictures.push(await takePicture(bench));
  }
  requireSame(name, pictures[0]!, pictures[1]!);
}

export interface InSequence {
  wallMs: number;
  calls: number;
  waits: Waits;
}

/** Rotates the saved data as a host does, one call after the reply to the one before. */
export async function inSequence(bench: Bench, name: string): Promise<InSequence> {
  await bench.libraries.use(COMPILED);
  await restore(bench);
  let calls = 0;
  let wallMs = 0;
  const waits = await pingWhile(bench, async () => {
    const start = performance.now();
    calls = await rotateInSequence(bench, name, "TIER", "5MINUTES");
    wallMs = performance.now() - start;
  });
  return { wallMs, calls, waits };
}
