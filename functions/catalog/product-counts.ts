/** How many products there are, and the latest of them. */
import {
  choice,
  command,
  integer,
  integerReply,
  jsonReply,
  list,
  nullable,
  textReply,
  tuple,
} from "../runtime/declare";
import { onKey } from "../runtime/types";
import * as names from "./names";
import { productJson, readProduct } from "./product";
import { allVendors, requireVendorName, OF_VENDOR } from "./vendors";

type Count = [value: string | false, skus: number];

function byVendor(vendors: string[]): Count[] {
  const counts: Count[] = [];
  for (const vendor of vendors) {
    const skus = onKey("ZCARD", names.productsOfVendor(vendor));
    if (skus > 0) counts.push([vendor, skus]);
  }
  return counts;
}

/** Years in order; products without one come last, as nulls do in SQL. */
function byYear(vendor: string): Count[] {
  const flat = onKey("HGETALL", names.yearCounts(vendor));
  const counts: Count[] = [];
  for (const at of $range(1, flat.length, 2))
    counts.push([flat[at - 1]! === "" ? false : flat[at - 1]!, tonumber(flat[at])!]);
  const orderOf = ([year]: Count): number => (year === false ? 10000 : tonumber(year)!);
  table.sort(counts, (a, b) => orderOf(a) < orderOf(b));
  return counts;
}

export const countProducts = command(
  {
    name: "count_products",
    summary: "How many SKUs each vendor or each year of release has",
    doc:
      "BY vendor is in the order of names, BY year in that of years; products without a year come last, under nil. " +
      "A SKU that several vendors have in one year counts once for it, where no VENDOR is named. The counts are " +
      "kept with each change of a product: nothing is gone through.",
    role: "reader",
    flags: ["no-writes"],
    positional: [],
    options: [{ name: "BY", type: choice(["vendor", "year"]), required: true, doc: "what to count by" }, OF_VENDOR],
    reply: list(
      tuple([
        { name: "value", type: nullable(textReply), doc: "vendor or year" },
        { name: "skus", type: integerReply, doc: "distinct SKUs" },
      ]),
    ),
    errors: ["BADARG", "CONFLICT"],
  },
  ({ by, vendor }) => {
    if (vendor !== undefined) requireVendorName(vendor);
    if (by === "year") return byYear(vendor ?? "");
    return byVendor(vendor === undefined ? allVendors() : [vendor]);
  },
);

export const recentProducts = command(
  {
    name: "recent_products",
    summary: "The products that were created last, last first",
    doc: "Each as get_product answers it. Those created in one millisecond are in the reverse order of their ids.",
    role: "reader",
    flags: ["no-writes"],
    positional: [],
    options: [OF_VENDOR, { name: "COUNT", type: integer(1, 1000), default: 5, doc: "how many to answer at most" }],
    reply: list(jsonReply),
    errors: ["BADARG", "CONFLICT"],
    answer: { doc: "products", schema: "Product" },
  },
  ({ vendor, count }) => {
    if (vendor !== undefined) requireVendorName(vendor);
    const products = vendor === undefined ? names.products() : names.productsOfVendor(vendor);
    const found: string[] = [];
    for (const id of onKey("ZRANGE", products, "0", `${count - 1}`, "REV")) {
      const product = readProduct(id);
      if (product !== undefined) found.push(productJson(product));
    }
    return found;
  },
);
