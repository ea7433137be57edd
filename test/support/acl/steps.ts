/** Real calls of every function of every library. */
import { CATALOG_STEPS } from "./catalog";
import { METADATA_STEPS } from "./metadata";
import { NOTIFIER_STEPS } from "./notifier";
import type { Step } from "./step";
import { TRACKER_STEPS } from "./tracker";

export const STEPS: Record<string, Step[]> = {
  tracker: TRACKER_STEPS,
  notifier: NOTIFIER_STEPS,
  metadata: METADATA_STEPS,
  catalog: CATALOG_STEPS,
};
