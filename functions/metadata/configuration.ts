/**
 * What decides where a file goes: sizes and times of merging, and the layers. GigAPI's clients send it with each call; for
 * all others it is kept with the table.
 */
import { command, json, jsonReply, record, text } from "../runtime/declare";
import { fail, quote } from "../runtime/errors";
import { onKey, requireType } from "../runtime/types";
import { DB, TABLE } from "./arguments";
import { tableKey } from "./names";

/** The most bytes of either JSON. */
const MAX_BYTES = 65536;

/** One step of merging; its place, from 1, is the iteration of the files that it takes. */
export interface MergeStep {
  /** Seconds from a plan's opening to its ripening. */
  timeoutS: number;
  /** Bytes that the files of a plan may have together. */
  maxSize: number;
}

/** A layer by which files are stored. */
interface Layer {
  /** Seconds after which a file moves on; 0 for never. */
  ttlS: number;
  /** The layer after it; empty for none: the files of a layer with a time are then dropped. */
  next: string;
}

export interface Configuration {
  steps: MergeStep[];
  layers: LuaMap<string, Layer>;
}

function decoded(name: string, content: string): unknown {
  const [ok, value] = pcall(cjson.decode, content);
  if (!ok) fail("BADCONFIG", `${name} must be JSON, got ${quote(content)}`);
  // Clients that have no steps send null.
  return value === cjson.null ? {} : value;
}

function isSize(value: unknown): value is number {
  return type(value) === "number" && (value as number) >= 0 && (value as number) < math.huge;
}

function parseSteps(name: string, content: string): MergeStep[] {
  const value = decoded(name, content);
  if (type(value) !== "table")
    fail("BADCONFIG", `${name} must be a JSON array of [timeout_sec, max_size, id], got ${quote(content)}`);
  const given = value as unknown[];
  const steps: MergeStep[] = [];
  for (const [place] of pairs(value as Record<string, unknown>)) {
    if (type(place) !== "number")
      fail("BADCONFIG", `${name} must be a JSON array of [timeout_sec, max_size, id], got ${quote(content)}`);
  }
  for (const at of $range(1, given.length)) {
    const step = given[at - 1] as unknown[];
    const isStep = type(step) === "table" && isSize(step[0]) && isSize(step[1]);
    if (!isStep) fail("BADCONFIG", `${name} has at place ${at} no [timeout_sec, max_size, id], both of them 0 or more`);
    steps.push({ timeoutS: step[0] as number, maxSize: step[1] as number });
  }
  return steps;
}

function parseLayer(name: string, layer: string, value: unknown): Layer {
  if (type(value) !== "table") fail("BADCONFIG", `${name} must have an object for layer ${quote(layer)}`);
  const { ttl_sec: ttl, layer_to: next } = value as { ttl_sec?: unknown; layer_to?: unknown };
  if (ttl !== undefined && type(ttl) !== "number")
    fail("BADCONFIG", `${name} must have a number for ttl_sec of layer ${quote(layer)}`);
  if (next !== undefined && type(next) !== "string")
    fail("BADCONFIG", `${name} must have text for layer_to of layer ${quote(layer)}`);
  return { ttlS: (ttl as number | undefined) ?? 0, next: (next as string | undefined) ?? "" };
}

function parseLayers(name: string, content: string): LuaMap<string, Layer> {
  const value = decoded(name, content);
  if (type(value) !== "table")
    fail("BADCONFIG", `${name} must be a JSON object of layers by name, got ${quote(content)}`);
  const layers = new LuaMap<string, Layer>();
  for (const [layer, each] of pairs(value as Record<string, unknown>)) {
    if (type(layer) !== "string")
      fail("BADCONFIG", `${name} must be a JSON object of layers by name, got ${quote(content)}`);
    layers.set(layer, parseLayer(name, layer, each));
  }
  return layers;
}

/** What was read last: clients send the same with every call. */
let lastMerge = "";
let lastLayers = "";
let lastParsed: Configuration | undefined;

/**
 * A configuration from its two texts, as GigAPI's clients send them. BADCONFIG names the one that is malformed.
 *
 * @param merge `[[timeout_sec, max_size, id], …]`
 * @param layers `{name: {url, name, type, ttl_sec, layer_to}, …}`; only ttl_sec and layer_to are looked at
 * @param names how the two are called in errors
 */
export function parseConfiguration(
  merge: string,
  layers: string,
  names: { merge: string; layers: string },
): Configuration {
  if (lastParsed !== undefined && merge === lastMerge && layers === lastLayers) return lastParsed;
  const parsed = { steps: parseSteps(names.merge, merge), layers: parseLayers(names.layers, layers) };
  lastMerge = merge;
  lastLayers = layers;
  lastParsed = parsed;
  return parsed;
}

/** The configuration that is kept with a table. NOTFOUND if there is none. */
export function readConfiguration(db: string, table: string): Configuration {
  const [merge, layers] = onKey("HMGET", tableKey(db, table), "merge", "layers") as [string | false, string | false];
  if (merge === false || layers === false) {
    return fail(
      "NOTFOUND",
      `table ${quote(table)} of database ${quote(db)} is not configured; configure_table does it`,
    );
  }
  return parseConfiguration(merge, layers, { merge: "merge", layers: "layers" });
}

/**
 * What is planned for a file that comes: to be merged, or moved where that is to be first; undefined where neither is.
 * Merging wins a tie. A move out of a layer without successor is GigAPI's retention: its worker drops the file.
 *
 * @param iteration of the file, from 1
 */
export function courseOf(
  { steps, layers }: Configuration,
  iteration: number,
  layer: string,
): "merge" | "move" | undefined {
  const step = steps[iteration - 1];
  const found = layers.get(layer);
  const moves = found !== undefined && found.ttlS > 0;
  if (step !== undefined && !(moves && step.timeoutS > found.ttlS)) return "merge";
  return moves ? "move" : undefined;
}

export const configureTable = command(
  {
    name: "configure_table",
    summary: "Keeps how the files of a table are merged and moved",
    doc:
      "Both are as GigAPI's clients send them with each patch_index: MERGE is `[[timeout_sec, max_size, id], …]`, " +
      "LAYERS is `{name: {url, name, type, ttl_sec, layer_to}, …}`. A step's place in MERGE, from 1, is the " +
      "iteration of the files that it merges: a plan ripens timeout_sec after it was opened and takes up to " +
      "max_size bytes. A file of a layer with ttl_sec above 0 moves to layer_to ttl_sec after its chunk time, unless it " +
      "merges until then; with an empty layer_to its move plan says that the file is to be dropped. Applies to files that come from now on; plans that wait stay as they " +
      "are. The forms of functions for GigAPI's clients do not look at it.",
    role: "admin",
    flags: [],
    positional: [DB, TABLE],
    options: [
      {
        name: "MERGE",
        type: text(1, MAX_BYTES),
        schema: "MergeSteps",
        required: true,
        doc: "JSON array of steps of merging",
      },
      { name: "LAYERS", type: json(MAX_BYTES), schema: "Layers", required: true, doc: "JSON object of layers by name" },
    ],
    reply: record([
      { name: "merge", type: jsonReply, schema: "MergeSteps", doc: "steps of merging, as given" },
      { name: "layers", type: jsonReply, schema: "Layers", doc: "layers, as given" },
    ]),
    errors: ["BADARG", "BADCONFIG", "CONFLICT"],
    repeat: "same",
  },
  ({ db, table, merge, layers }) => {
    parseConfiguration(merge, layers, { merge: "MERGE", layers: "LAYERS" });
    const name = tableKey(db, table);
    requireType(name, "hash");
    redis.call("HSET", name, "merge", merge, "layers", layers);
    return { merge, layers };
  },
);
