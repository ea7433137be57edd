/** Records drawn at random, from the lists of what was visited. */
import { onKey } from "../runtime/types";
import * as names from "./names";

/** Lists that are drawn from: more would make the call long. */
const MAX_LISTS = 50;

/** Some records of one list; `size` is how many they stand for. */
export interface Stratum {
  ids: string[];
  size: number;
}

/** The lists of websites or pages by last visit, of up to `MAX_LISTS` websites; `weight` is how many each stands for. */
function listsOf(dimension: "S" | "P", websites: number): { lists: string[]; weight: number } {
  const drawn = onKey("ZRANDMEMBER", names.websites(), MAX_LISTS);
  const lists: string[] = [];
  for (const id of drawn) lists.push(dimension === "S" ? names.sectionsOfWebsite(id) : names.pagesOf("W", id));
  return { lists, weight: websites / Math.max(drawn.length, 1) };
}

/** About `samples` records of a dimension that have documents, from each website its share. */
export function drawRecords(dimension: "W" | "S" | "P", samples: number): Stratum[] {
  const websites = onKey("ZCARD", names.websites());
  if (websites === 0) return [];
  if (dimension === "W") return [{ ids: onKey("ZRANDMEMBER", names.websites(), samples), size: websites }];
  const { lists, weight } = listsOf(dimension, websites);
  const sizes: number[] = [];
  let total = 0;
  for (const name of lists) {
    const size = onKey("ZCARD", name);
    sizes.push(size);
    total += size;
  }
  const strata: Stratum[] = [];
  for (const position of $range(1, lists.length)) {
    const size = sizes[position - 1]!;
    if (size === 0) continue;
    const ids = onKey("ZRANDMEMBER", lists[position - 1]!, Math.ceil((samples * size) / total));
    strata.push({ ids, size: size * weight });
  }
  return strata;
}
