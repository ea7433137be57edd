/** Standard output: one notification, one line of JSON. */
import type { Writable } from "node:stream";
import { describeError } from "../../runtime/errors";
import { contentOf, failed, type Courier, type Delivery } from "./courier";

/**
 * Makes the courier. A line counts as delivered once it is handed to whoever reads: while the pipe is full, deliveries
 * wait, and so does the claiming of more.
 *
 * @param output where to; standard output unless a test looks on
 */
export function createStdoutCourier(output: Writable = process.stdout): Courier {
  // A reader that went away fails the delivery that meets it, and must not end the process.
  output.on("error", () => undefined);
  return {
    shown: "stdout",
    deliver: (notification) => {
      const line = `${JSON.stringify({ ...contentOf(notification), attempt: notification.attempt })}\n`;
      return new Promise<Delivery>((resolve) => {
        output.write(line, (error) =>
          resolve(error ? failed("stdout", `nobody reads: ${describeError(error)}`) : { outcome: "delivered" }),
        );
      });
    },
    close: () => Promise.resolve(),
  };
}
