/**
 * The few Lua library functions that pure modules of `functions/` use, for running those modules in Node.
 *
 * Strings are byte strings, as in Lua: pass text through `toBytes` first. Functions with several results return an
 * array, which is what destructuring in the TypeScript source expects.
 */

/** Text as one character per UTF-8 byte. */
export const toBytes = (text: string): string => Buffer.from(text, "utf8").toString("latin1");

/** The inverse of `toBytes`. */
export const fromBytes = (bytes: string): string => Buffer.from(bytes, "latin1").toString("utf8");

const CLASSES: Record<string, string> = {
  d: "0-9",
  x: "0-9A-Fa-f",
  s: "\\s",
  c: "\\x00-\\x1f\\x7f",
  a: "A-Za-z",
  w: "A-Za-z0-9",
};

/** A Lua pattern as a regular expression; covers classes, sets, captures and greedy repetition. */
function toRegExp(pattern: string, flags: string): RegExp {
  let inSet = false;
  const source = pattern.replace(/%(.)|[[\]{}|\\/$]/gs, (whole, escaped: string | undefined) => {
    if (escaped !== undefined) {
      const members = CLASSES[escaped];
      if (members === undefined) return `\\${escaped}`;
      return inSet ? members : `[${members}]`;
    }
    if (whole === "[") inSet = true;
    if (whole === "]") inSet = false;
    return "[]$".includes(whole) ? whole : `\\${whole}`;
  });
  return new RegExp(source, flags);
}

function find(s: string, pattern: string, init = 1, plain = false): (number | undefined)[] {
  if (plain) {
    const at = s.indexOf(pattern, init - 1);
    return at < 0 ? [] : [at + 1, at + pattern.length];
  }
  const match = toRegExp(pattern, "s").exec(s.slice(init - 1));
  return match === null ? [] : [match.index + init, match.index + init + match[0].length - 1];
}

function match(s: string, pattern: string, init = 1): (string | undefined)[] {
  const found = toRegExp(pattern, "s").exec(s.slice(init - 1));
  if (found === null) return [];
  return found.length > 1 ? found.slice(1) : [found[0]];
}

function sub(s: string, i: number, j = -1): string {
  const from = i < 0 ? Math.max(s.length + i, 0) : Math.max(i - 1, 0);
  const to = j < 0 ? s.length + j + 1 : j;
  return s.slice(from, Math.max(to, from));
}

function gsub(s: string, pattern: string, replacement: string | ((found: string) => string)): [string, number] {
  let count = 0;
  const result = s.replace(toRegExp(pattern, "gs"), (whole, ...groups: unknown[]) => {
    count += 1;
    const found = typeof groups[0] === "string" ? groups[0] : whole;
    return typeof replacement === "string" ? replacement : replacement(found);
  });
  return [result, count];
}

const lua = {
  find,
  match,
  sub,
  gsub,
  byte: (s: string, i = 1): number | undefined => (i <= s.length ? s.charCodeAt(i - 1) : undefined),
  char: (...codes: number[]) => String.fromCharCode(...codes),
  lower: (s: string) => s.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()),
  upper: (s: string) => s.replace(/[a-z]+/g, (letters) => letters.toUpperCase()),
};

Object.assign(globalThis, {
  string: lua,
  tonumber: (value: unknown, base?: number) => {
    const parsed = base === undefined ? Number(value) : parseInt(String(value), base);
    return Number.isNaN(parsed) ? undefined : parsed;
  },
  tostring: String,
  collectgarbage: () => 0,
  LuaMap: Map,
  LuaSet: Set,
  $multi: (...values: unknown[]) => values,
  $range: function* range(from: number, to: number, step = 1): Generator<number> {
    for (let i = from; step > 0 ? i <= to : i >= to; i += step) yield i;
  },
});
