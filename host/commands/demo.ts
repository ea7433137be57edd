/** `hotpath demo` */
import type { DemoOptions } from "../demo/options";

/** Loaded only when it is wanted: it brings log parsers and a bot list along. */
export async function demoCommand(options: DemoOptions): Promise<void> {
  const { runDemo } = await import("../demo");
  await runDemo(options);
}
