/** `hotpath top` */
import type { TopOptions } from "./top/main";

/** Loaded only when it is wanted. */
export async function topCommand(options: TopOptions): Promise<void> {
  const { runTop } = await import("./top/main");
  await runTop(options);
}
