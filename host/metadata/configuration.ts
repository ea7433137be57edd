/** How a table's files are merged and moved, as programs have it and as GigAPI's clients send it. */

/** One step of merging. Its place, from 1, is the iteration of the files that it merges. */
export interface MergeStep {
  /** Seconds from the opening of a plan until it is given out. */
  timeoutSeconds: number;
  /** Bytes that the files of a plan may have together. */
  maxBytes: number;
}

/** Where files are kept. */
export interface Layer {
  name: string;
  /** For those who read and write the files, as is `type`; the index only keeps it. */
  url?: string;
  type?: string;
  /**
   * Seconds after which a file moves on to the next layer, from its chunk time, or is dropped where none follows; 0, the
   * default, for never.
   */
  ttlSeconds?: number;
  /** Where files move on to. Default: the layer after it in the list; the empty one for none. */
  layerTo?: string;
}

/** How a table is set up. */
export interface TableConfiguration {
  merge: readonly MergeStep[];
  /** In the order in which files move on. */
  layers: readonly Layer[];
}

/** MERGE of `configure_table`: `[[timeout_sec, max_size, id], …]`. */
export function encodeMerge(merge: readonly MergeStep[]): string {
  return JSON.stringify(merge.map(({ timeoutSeconds, maxBytes }, at) => [timeoutSeconds, maxBytes, at + 1]));
}

/** LAYERS of `configure_table`: `{name: {url, name, type, ttl_sec, layer_to}, …}`. */
export function encodeLayers(layers: readonly Layer[]): string {
  const encoded = layers.map(({ name, url = "", type = "", ttlSeconds = 0, layerTo }, at) => [
    name,
    { url, name, type, ttl_sec: ttlSeconds, layer_to: layerTo ?? layers[at + 1]?.name ?? "" },
  ]);
  return JSON.stringify(Object.fromEntries(encoded));
}
