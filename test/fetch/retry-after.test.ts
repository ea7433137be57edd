import { describe, expect, it } from "vitest";
import { parseRetryAfter } from "../../host/fetch/retry-after";

const NOON = Date.UTC(2026, 10, 20, 12);
const DAY_MS = 86_400_000;

describe("Retry-After", () => {
  it.each<[string | undefined, number | undefined]>([
    [undefined, undefined],
    ["", undefined],
    ["0", 0],
    ["120", 120_000],
    [" 7 ", 7000],
    ["86401", 86_401_000],
    ["10000000000", 10_000_000_000_000],
    ["9".repeat(400), Infinity],
    ["-1", undefined],
    ["+1", undefined],
    ["1.5", undefined],
    ["1e3", undefined],
    ["0x10", undefined],
    ["5 s", undefined],
    ["soon", undefined],
    ["tomorrow", undefined],
  ])("%j is %s ms", (header, ms) => {
    expect(parseRetryAfter(header, NOON)).toBe(ms);
  });

  it.each<[string, number | undefined]>([
    // IMF-fixdate
    ["Fri, 20 Nov 2026 12:00:30 GMT", NOON + 30_000],
    ["Sat, 21 Nov 2026 12:00:00 GMT", NOON + DAY_MS],
    ["Thu, 29 Feb 2028 00:00:00 GMT", Date.UTC(2028, 1, 29)],
    ["Thu, 31 Dec 2026 23:59:60 GMT", Date.UTC(2027, 0, 1)],
    ["Mon, 29 Feb 2027 00:00:00 GMT", undefined],
    ["Mon, 31 Nov 2026 12:00:00 GMT", undefined],
    ["Fri, 00 Dec 2026 12:00:00 GMT", undefined],
    ["Fri, 99 Nov 2026 12:00:00 GMT", undefined],
    ["Sat, 21 Nov 2026 24:00:00 GMT", undefined],
    ["Sat, 21 Nov 2026 12:60:00 GMT", undefined],
    ["Sat, 1 Nov 2027 12:00:00 GMT", undefined],
    ["Sat, 21 nov 2026 12:00:00 GMT", undefined],
    ["Sat, 21 Foo 2026 12:00:00 GMT", undefined],
    ["Foo, 21 Nov 2026 12:00:00 GMT", undefined],
    ["21 Nov 2026 12:00:00 GMT", undefined],
    ["Sat, 21 Nov 2026 12:00:00", undefined],
    ["Sat, 21 Nov 2026 12:00:00 UTC", undefined],
    ["Sat, 21 Nov 2026 12:00:00 +0000", undefined],
    ["Sat, 21 Nov 2026 12:00 GMT", undefined],
    ["Sat, 21 Nov 26 12:00:00 GMT", undefined],
    // RFC 850, where two digits are a year that is at most 50 years ahead
    ["Friday, 20-Nov-26 12:00:30 GMT", NOON + 30_000],
    ["Saturday, 20-Nov-76 12:00:00 GMT", Date.UTC(2076, 10, 20, 12)],
    ["Friday, 20-Nov-26 11:59:59 GMT", NOON],
    ["Saturday, 20-Nov-76 12:00:01 GMT", NOON],
    ["Sunday, 06-Nov-94 08:49:37 GMT", NOON],
    ["Fri, 21-Nov-26 12:00:00 GMT", undefined],
    ["Saturday, 21-Nov-2026 12:00:00 GMT", undefined],
    ["Monday, 29-Feb-27 12:00:00 GMT", undefined],
    // asctime
    ["Sat Nov 21 12:00:00 2026", NOON + DAY_MS],
    ["Tue Dec  1 12:00:00 2026", NOON + 11 * DAY_MS],
    ["Tue Dec 1 12:00:00 2026", undefined],
    ["Sat Nov 21 12:00:00 2026 GMT", undefined],
    // Nothing else
    ["2026-11-21", undefined],
    ["2026-11-21T12:00:00Z", undefined],
    ["Fri, 20 Nov 2026 11:00:00 GMT", NOON],
  ])("%j is a time, or none", (header, atMs) => {
    expect(parseRetryAfter(header, NOON)).toBe(atMs === undefined ? undefined : atMs - NOON);
  });

  it("takes two digits for a year of the next century where that is near", () => {
    const now = Date.UTC(2099, 11, 31, 23, 59, 30);
    expect(parseRetryAfter("Friday, 01-Jan-00 00:00:00 GMT", now)).toBe(30_000);
  });

  it("counts once where it is given twice", () => {
    expect(parseRetryAfter(["5", "9"], NOON)).toBe(5000);
  });
});
