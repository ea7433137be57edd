/** What compiled code reads often enough to be made locals of the library: an upvalue costs a fraction of a look-up in a table. */

export const HOT_GLOBALS = [
  "redis",
  "cjson",
  "string",
  "math",
  "table",
  "type",
  "tonumber",
  "tostring",
  "ipairs",
  "pairs",
  "pcall",
  "unpack",
] as const;

const HOT_MEMBERS: Record<string, readonly string[]> = {
  redis: ["call", "pcall", "sha1hex"],
  string: ["sub", "find", "match", "byte", "lower"],
  math: ["min", "max", "floor"],
};

/** The local that stands for `owner.member`: `redis_call`; undefined where there is none. */
export function hotLocal(owner: string, member: string): string | undefined {
  return HOT_MEMBERS[owner]?.includes(member) ? `${owner}_${member}` : undefined;
}

/** Each such local and what it stands for. */
export const HOT_LOCALS: readonly (readonly [local: string, owner: string, member: string])[] = Object.entries(
  HOT_MEMBERS,
).flatMap(([owner, members]) => members.map((member) => [`${owner}_${member}`, owner, member] as const));
