/** How the catalogue is doing, vendor by vendor. */
import { clock } from "../runtime/clock";
import { command, integer, integerReply, list, MAX_TIME_MS, NOW, record, textReply } from "../runtime/declare";
import { DAY_MS } from "../runtime/time";
import { onKey } from "../runtime/types";
import * as names from "./names";
import { allVendors, COUNTERS, requireVendorName, OF_VENDOR } from "./vendors";

/** Field, value, field, value, in the order of the reply. */
function statusOf(vendor: string, staleMs: number, nowMs: number): (string | number)[] {
  const flat: (string | number)[] = ["vendor", vendor, "products", onKey("ZCARD", names.productsOfVendor(vendor))];
  const counts = onKey("HMGET", names.vendor(vendor), ...COUNTERS);
  for (const at of $range(0, COUNTERS.length - 1)) {
    const count = counts[at];
    flat.push(COUNTERS[at]!);
    flat.push(count === false || count === undefined ? 0 : tonumber(count)!);
  }
  const links = names.links(vendor);
  flat.push("links");
  flat.push(onKey("ZCARD", links));
  flat.push("unscraped");
  flat.push(onKey("ZCOUNT", links, "0", "0"));
  flat.push("stale");
  flat.push(onKey("ZCOUNT", links, "-inf", `${Math.max(nowMs - staleMs, 0)}`));
  return flat;
}

export const getCatalogStatus = command(
  {
    name: "get_catalog_status",
    summary: "Products, links and outcomes of each vendor",
    doc: "Vendors are in the order of their names. Outcomes are counted since the vendor was first heard of.",
    role: "reader",
    flags: ["no-writes"],
    positional: [],
    options: [
      OF_VENDOR,
      {
        name: "STALE",
        type: integer(0, MAX_TIME_MS),
        unit: "ms",
        default: DAY_MS,
        doc: "ms without a look after which a link is stale",
      },
      NOW,
    ],
    reply: list(
      record([
        { name: "vendor", type: textReply, doc: "name" },
        { name: "products", type: integerReply, doc: "products that it has" },
        { name: "created", type: integerReply, doc: "calls of upsert_product that made a product" },
        { name: "changed", type: integerReply, doc: "calls that changed one" },
        {
          name: "unchanged",
          type: integerReply,
          doc: "calls that changed nothing, and pages that were as before (mark_link)",
        },
        { name: "outdated", type: integerReply, doc: "calls that came late" },
        { name: "removed", type: integerReply, doc: "products removed" },
        { name: "gone", type: integerReply, doc: "looks at links whose page was gone" },
        { name: "failed", type: integerReply, doc: "looks at links that failed" },
        { name: "links", type: integerReply, doc: "product links" },
        { name: "unscraped", type: integerReply, doc: "links at which nobody has looked yet" },
        {
          name: "stale",
          type: integerReply,
          doc: "links at which nobody has looked for STALE, those of `unscraped` included",
        },
      ]),
    ),
    errors: ["BADARG", "CONFLICT"],
  },
  (args) => {
    if (args.vendor !== undefined) requireVendorName(args.vendor);
    const nowMs = clock(args.now);
    const found: (string | number)[][] = [];
    for (const vendor of args.vendor === undefined ? allVendors() : [args.vendor])
      found.push(statusOf(vendor, args.stale, nowMs));
    return found;
  },
);
