/** `hotpath demo` */
import type { DemoOptions } from "../demo/options";

export const DEMOS = ["tracker", "notifier", "metadata", "catalog"] as const;

/** Loaded only when it is wanted: it brings log parsers and a bot list along. */
export async function demoCommand(what: (typeof DEMOS)[number], options: DemoOptions): Promise<void> {
  if (what === "notifier") {
    const { runNotifierDemo } = await import("../demo/notifier");
    return runNotifierDemo(options);
  }
  if (what === "metadata") {
    const { runMetadataDemo } = await import("../demo/metadata");
    return runMetadataDemo(options);
  }
  if (what === "catalog") {
    const { runCatalogDemo } = await import("../demo/catalog");
    return runCatalogDemo(options);
  }
  const { runDemo } = await import("../demo");
  await runDemo(options);
}
