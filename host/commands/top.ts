/** `hotpath top` */
import type { TopOptions } from "../top";

/** Loaded only when it is wanted. */
export async function topCommand(options: TopOptions): Promise<void> {
  const { runTop } = await import("../top");
  await runTop(options);
}
