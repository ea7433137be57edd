/** `hotpath demo` */
import type { Demo, runDemo } from "../../demo/main";

export const DEMOS: readonly Demo[] = ["tracker", "notifier", "metadata", "catalog"];

/** Loads the demo, which nothing else in the program needs, and runs it. */
export async function demoCommand(what: Demo, options: Parameters<typeof runDemo>[1]): Promise<void> {
  const demo = await import("../../demo/main");
  await demo.runDemo(what, options);
}
