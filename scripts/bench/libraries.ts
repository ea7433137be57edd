/**
 * Which libraries are on the server while a side is measured. The functions of a server share one Lua heap, and its
 * collector walks all of it: a side that carries the twins of others is slower than any server of its users would be.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

interface Library {
  path: string;
  /** A function whose first call builds the library, so that this is not measured; what it answers does not matter. */
  probe: string;
  /** What is cut out of its text, for a price of its own. */
  without?: string;
}

const LIBRARIES = {
  tracker: { path: "../../dist/tracker.lua", probe: "tracker_library" },
  notifier: { path: "../../dist/notifier.lua", probe: "notifier_library" },
  metadata: { path: "../../dist/metadata.lua", probe: "metadata_library" },
  catalog: { path: "../../dist/catalog.lua", probe: "catalog_library" },
  "counting twin": { path: "./twins/counting.lua", probe: "twin_track_events" },
  "rotation twin": { path: "./twins/rotation.lua", probe: "twin_rotate_pg" },
  "catalog twin": { path: "./twins/catalog.lua", probe: "twin_upsert_product" },
  "tracker without the slot guard": {
    path: "../../dist/tracker.lua",
    probe: "tracker_library",
    without: "requireStableSlot(routingKey, partition)\n",
  },
  floor: { path: "./twins/floor.lua", probe: "floor_ingest_events" },
} as const satisfies Record<string, Library>;

export type LibraryName = keyof typeof LIBRARIES;

/** What a server of Hotpath has. */
export const COMPILED: readonly LibraryName[] = ["tracker", "notifier", "metadata", "catalog"];

/** The same with a twin in place of the library it stands for. */
export function withTwin(twin: LibraryName, inPlaceOf: LibraryName): LibraryName[] {
  return COMPILED.map((name) => (name === inPlaceOf ? twin : name));
}

/** Twice, because the first cycle only finds what the second may free. */
const HELPER = `#!lua name=bench
redis.register_function("bench_collect", function() collectgarbage() collectgarbage() return 1 end)`;

type Send = (...args: string[]) => Promise<unknown>;

/** @throws Error if what is to be cut out does not stand in it once */
function readLibrary({ path, without }: Library): string {
  const text = readFileSync(fileURLToPath(new URL(path, import.meta.url)), "utf8");
  if (without === undefined) return text;
  // The definition has the same words after `function`, so a call is what begins a line.
  const parts = text.split(`\n${without}`);
  if (parts.length !== 2) throw new Error(`${path} has ${without.trim()} ${parts.length - 1} times, not once.`);
  return parts.join("\n");
}

async function load(send: Send, names: readonly LibraryName[]): Promise<void> {
  await send("FUNCTION", "FLUSH", "SYNC");
  await send("FUNCTION", "LOAD", HELPER);
  for (const name of names) {
    const library = LIBRARIES[name];
    await send("FUNCTION", "LOAD", readLibrary(library));
    await send("FCALL", library.probe, "0").catch(() => undefined);
  }
}

/** The libraries on the server. */
export class Libraries {
  #names: readonly LibraryName[] = [];

  constructor(private readonly send: Send) {}

  /** Leaves these on the server, and no others; does nothing where they are there already. */
  async use(names: readonly LibraryName[]): Promise<void> {
    if (names.join() === this.#names.join()) return;
    this.#names = names;
    await this.reload();
  }

  /** Loads them again: a restored database brings those with which it was saved. */
  async reload(): Promise<void> {
    await load(this.send, this.#names);
  }

  /** Collects what calls have left in the memory that all of them share. */
  async collectGarbage(): Promise<void> {
    await this.send("FCALL", "bench_collect", "0");
  }
}
