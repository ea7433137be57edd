/** What the tracker takes in memory, part by part, and what the servers say of themselves. */
import type { Primary } from "../../redis/connection";
import {
  DOCUMENTED_DIMENSIONS,
  MEDIA_DIMENSIONS,
  MEMORY_PARTS,
  type Dimension,
  type HotpathFunctions,
  type MemoryPart,
} from "../../contract";
import { readInfo } from "../../redis/info";

export interface PartMemory {
  part: MemoryPart;
  keys: number;
  bytes: number;
  /** How many keys were looked at; fewer than `keys` for an estimate. */
  samples: number;
  /** What it is made of, largest first. */
  sorts: { what: string; dimension: string; keys: number; bytes: number; samples: number }[];
}

/** Of one server. */
export interface ServerMemory {
  usedBytes: number;
  /** `maxmemory`; 0 for no limit. */
  maxBytes: number;
  policy: string;
}

/** Asks for every part; each call is bounded. */
export async function readMemory(functions: Pick<HotpathFunctions, "getTrackerMemory">): Promise<PartMemory[]> {
  const parts: PartMemory[] = [];
  for (const part of MEMORY_PARTS) {
    const sorts: PartMemory["sorts"] = [];
    for (const dimension of dimensionsOf(part)) {
      const rows = await functions.getTrackerMemory({ part, dimension });
      sorts.push(...rows.map(([what, of, keys, bytes, samples]) => ({ what, dimension: of, keys, bytes, samples })));
    }
    const sum = (field: "keys" | "bytes" | "samples"): number => sorts.reduce((total, sort) => total + sort[field], 0);
    parts.push({
      part,
      keys: sum("keys"),
      bytes: sum("bytes"),
      samples: sum("samples"),
      sorts: sorts.sort((a, b) => b.bytes - a.bytes),
    });
  }
  return parts;
}

function dimensionsOf(part: MemoryPart): readonly Dimension[] {
  if (part === "STREAMS") return ["P"];
  return part === "DOCUMENTS" ? DOCUMENTED_DIMENSIONS : [...DOCUMENTED_DIMENSIONS, ...MEDIA_DIMENSIONS];
}

/** What the server's INFO says. */
export async function readServerMemory(primary: Primary): Promise<ServerMemory> {
  const info = await readInfo((args) => primary.send(args), "memory");
  const field = (name: string): string => info.get(name) ?? "";
  return {
    usedBytes: Number(field("used_memory")),
    maxBytes: Number(field("maxmemory")),
    policy: field("maxmemory_policy"),
  };
}
