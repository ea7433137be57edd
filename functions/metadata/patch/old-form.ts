/**
 * Until June 2025 GigAPI's script took the greatest size of each step of merging as its keys, and guides still have it so. Such a
 * call has one key mostly, which would be a routing key here, and its first entry a database: it is told what to send now.
 */
import { toErrorReply } from "../../runtime/errors";

type Callback = (this: void, keys: string[], args: string[]) => unknown;

/** Whether an entry comes first, after keys that are neither the two of today nor none. */
function isOldForm(keys: string[], args: string[]): boolean {
  if (keys.length === 0 || keys.length === 2) return false;
  const [entry] = string.find(args[0] ?? "", '^%s*{%s*"');
  return entry !== undefined;
}

/** patch_index, as Redis calls it, with an answer of its own to the old form. */
export function refusingOldForm(callback: Callback): Callback {
  return (keys, args) => {
    if (!isOldForm(keys, args)) return callback(keys, args);
    const err =
      "BADARG entries come after two keys: merge_conf, [[timeout_sec, max_size, id], ...], and layers, " +
      `{name: {ttl_sec, layer_to}, ...}, got ${keys.length}`;
    return toErrorReply("patch_index", { err });
  };
}
