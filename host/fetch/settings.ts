/** Settings that all who fetch pages have. */
import { z } from "zod";
import { readable } from "../runtime/config-issues";
import { parseRange } from "./addresses";

export const seconds = (least: number, most: number): z.ZodNumber => z.number().min(least).max(most);

/** Property names with dots between them: `data.title`, `titles.0.text`. */
export const propertyPath = z.string().regex(/^[^.\s]+(\.[^.\s]+)*$/, "must be property names with dots between them");

/** An address range that is reached although it is not public: `10.1.0.0/16`. */
export const range = readable(parseRange);

export const timeoutsSchema = z.strictObject({
  connectSeconds: seconds(0.05, 60).default(5),
  headersSeconds: seconds(0.05, 300).default(10),
  bodySeconds: seconds(0.05, 300).default(10),
  totalSeconds: seconds(0.05, 600).default(30),
});

/** Where those who run a site can complain. */
export const contact = z.string().regex(/^[\x21-\x7e]{1,200}$/, "must be a mail or web address");
