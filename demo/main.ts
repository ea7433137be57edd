/** The demos by the name of the library that they show. The program loads this file for `hotpath demo` only. */
import type { DemoOptions } from "./options";

/** The library that a demo shows. */
export type Demo = "tracker" | "notifier" | "metadata" | "catalog";

/** Runs a demo to its end; its exit code says whether what was counted is what was sent. */
export async function runDemo(what: Demo, options: DemoOptions): Promise<void> {
  switch (what) {
    case "tracker":
      return (await import("./tracker/demo")).runTrackerDemo(options);
    case "notifier":
      return (await import("./notifier/demo")).runNotifierDemo(options);
    case "metadata":
      return (await import("./metadata/demo")).runMetadataDemo(options);
    case "catalog":
      return (await import("./catalog/demo")).runCatalogDemo(options);
  }
}
