/** What is kept of a hook: whose it is, and what it is given. */

/** `pre` runs before the task, `post` after it. */
export type HookKind = "pre" | "post";

/** Whose hook a task is, as it stands in the task's record. */
export interface HookOf {
  kind: HookKind;
  /** Its place among those of its kind, from 1. */
  at: number;
  /** The task that it is a hook of, with its serial and its type. */
  serial: string;
  type: string;
  id: string;
}

/** As it is stored; none of the parts can hold a space. */
export function formatHook({ kind, at, serial, type: taskType, id }: HookOf): string {
  return `${kind} ${at} ${serial} ${taskType} ${id}`;
}

/** From what is stored. */
export function parseHook(stored: string): HookOf {
  const [kind, at, serial, taskType, id] = string.match(stored, "^(%S+) (%S+) (%S+) (%S+) (%S+)$");
  return { kind: kind as HookKind, at: tonumber(at)!, serial: serial!, type: taskType!, id: id! };
}

/** The id of a hook. No id that is given has an exclamation mark, and no other task has the serial. */
export function hookId({ kind, at, serial, id }: HookOf): string {
  return `${id}!${kind}${at}.${serial}`;
}

/** What the payloads of all hooks of a kind have in common: all that stands behind the type. */
export function hookRest(kind: HookKind, id: string, payload: string, result: string | false): string {
  const end = kind === "post" && result !== false ? `,"result":${result}}` : "}";
  return `"hook":"${kind}","task":"${id}","payload":${payload}${end}`;
}

function hookStart(taskType: string): string {
  return `{"type":"${taskType}",`;
}

/** The payload of a hook, as JSON. */
export function hookPayload(taskType: string, rest: string): string {
  return hookStart(taskType) + rest;
}

/** What stands behind the type in the payload of a hook: the next one of its kind gets the same. */
export function restOf(taskType: string, payload: string): string {
  return string.sub(payload, hookStart(taskType).length + 1);
}
