/** Keys that the host keeps beside those of the functions, so that all names have one home. Only the build reads this file. */
import { key } from "./keys";

/** What the receiver of a topic has said: Retry-After, or that it is gone. */
export function courier(): string {
  return key("H", "COURIER", "", "", "", "");
}

/** The lock of deploying. */
export function deploy(): string {
  return key("H", "DEPLOY", "", "", "", "");
}
