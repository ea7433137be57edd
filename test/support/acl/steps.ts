/** Real calls of every function of every library. */
import { NOTIFIER_STEPS } from "./notifier";
import { record, type Step } from "./step";
import { TRACKER_STEPS } from "./tracker";

export const STEPS: Record<string, Step[]> = {
  tracker: TRACKER_STEPS,
  notifier: NOTIFIER_STEPS,
  metadata: [{ name: "metadata_library", args: [], reply: record({ library: "metadata" }) }],
  catalog: [{ name: "catalog_library", args: [], reply: record({ library: "catalog" }) }],
};
