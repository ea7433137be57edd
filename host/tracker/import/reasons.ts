/** Why events were refused and lines of a log left out, in words for people; scripts get the codes. */

/** A named count. */
export interface NamedCount {
  name: string;
  count: number;
}

const REJECTED: Readonly<Record<string, string>> = {
  json: "not a JSON object",
  url: "no absolute http(s) address, or a too long one",
  uui: "no device id, or a too long one",
  dt: "no time that can be read",
  future: "more than 5 minutes ahead of the clock",
  old: "more than 7 days old",
  media: "no id of what was played, or a too long one",
  website: "of no configured website",
};

const LEFT_OUT: Readonly<Record<string, string>> = {
  unparsable: "not to be read as a request",
  method: "not GET",
  failed: "failed or redirected",
  static: "static files: pictures, scripts, feeds …",
  bot: "bots",
};

/** Why events were refused: `url: no absolute http(s) address, or a too long one`. */
export function rejectedInWords(counts: readonly NamedCount[]): NamedCount[] {
  return counts.map(({ name, count }) => ({
    name: REJECTED[name] === undefined ? name : `${name}: ${REJECTED[name]}`,
    count,
  }));
}

/** Why lines of a log were left out. */
export function leftOutInWords(counts: readonly NamedCount[]): NamedCount[] {
  return counts.map(({ name, count }) => ({ name: LEFT_OUT[name] ?? name, count }));
}
