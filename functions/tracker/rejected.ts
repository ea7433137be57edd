/** What the tracker has refused: counted by reason, and kept for a look. */
import { keepRejected, type Rejected } from "../runtime/rejected";
import type { Reason } from "./events";
import * as names from "./names";

export { rejectedField } from "../runtime/rejected";

export interface Rejection extends Rejected<Reason> {
  /** Position in the call, from 0. */
  index: number;
}

/** Counts and keeps refused events. */
export function keepRejections(rejections: Rejection[], nowMs: number): void {
  keepRejected(names.state(), names.rejectedStream(), rejections, nowMs);
}
