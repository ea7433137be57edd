import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseExact, stringifyExact } from "../../host/metadata/exact-json";
import { dateOf, formatNanoseconds, nanosecondsOf, parseNanoseconds } from "../../host/metadata/nanoseconds";

describe("JSON that keeps 64 bits", () => {
  it.each([
    ["9007199254740991", 9007199254740991],
    ["9007199254740993", 9007199254740993n],
    ["-9223372036854775808", -9223372036854775808n],
    ["18446744073709551615", 18446744073709551615n],
    ['{"a":[1,9223372036854775807],"b":1.5}', { a: [1, 9223372036854775807n], b: 1.5 }],
    // A number with a fraction or an exponent is a double for everybody.
    ["1234567890123456789.5", 1234567890123456789.5],
    ["1234567890123456789e2", 1234567890123456789e2],
    ['{"9223372036854775807":"9223372036854775807"}', { "9223372036854775807": "9223372036854775807" }],
    ['["\\"9223372036854775807","\\\\",9223372036854775807]', ['"9223372036854775807', "\\", 9223372036854775807n]],
  ])("reads %s", (text, value) => {
    expect(parseExact(text)).toEqual(value);
  });

  it.each([
    "00000000000000009223372036854775807",
    "{9223372036854775807}",
    "9223372036854775807x",
    '"9223372036854775807',
  ])("does not read %s", (text) => {
    expect(() => parseExact(text)).toThrow(SyntaxError);
  });

  it("writes what it read, and reads what it wrote", () => {
    const value = fc.letrec((tie) => ({
      value: fc.oneof(
        fc.bigInt(),
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        fc.string(),
        tie("list"),
        tie("object"),
      ),
      list: fc.array(tie("value"), { maxLength: 4 }),
      object: fc.dictionary(
        fc.string().filter((name) => name !== "__proto__"),
        tie("value"),
        { maxKeys: 4, noNullPrototype: true },
      ),
    })).value;
    const small = (_name: string, each: unknown): unknown => (typeof each === "bigint" ? String(each) : each);
    fc.assert(
      fc.property(value, (given) => {
        const text = stringifyExact(given);
        // What JSON.parse cannot hold is only the digits of large integers.
        expect(stringifyExact(parseExact(text))).toBe(text);
        expect(text.replace(/[" ]/g, "")).toBe(JSON.stringify(given, small).replace(/[" ]/g, ""));
      }),
    );
  });
});

describe("nanoseconds", () => {
  it.each([
    ["2026-11-20", 1795132800000000000n],
    ["2026-11-20T10:05", 1795169100000000000n],
    ["2026-11-20T10:05:00.123456789Z", 1795169100123456789n],
    ["2026-11-20T10:05:00.5+01:00", 1795165500500000000n],
    ["1795169100123456789", 1795169100123456789n],
    ["-1", -1n],
    ["0", 0n],
  ])("reads %s", (text, ns) => {
    expect(parseNanoseconds(text)).toBe(ns);
  });

  it.each([
    "",
    "yesterday",
    "2026-02-31",
    "2026-13-01",
    "2026-11-20T25:00",
    "2026-11-20T10:05:00.1234567891",
    "12345678901234567890",
    "1e9",
    "20261120T10",
  ])("does not read '%s'", (text) => {
    expect(parseNanoseconds(text)).toBeUndefined();
  });

  it("prints what it reads, to the nanosecond", () => {
    expect(formatNanoseconds(1795169100123456789n)).toBe("2026-11-20T10:05:00.123456789Z");
    expect(formatNanoseconds(1795169100500000000n)).toBe("2026-11-20T10:05:00.5Z");
    expect(formatNanoseconds(-1n)).toBe("1969-12-31T23:59:59.999999999Z");
    expect(formatNanoseconds(10n ** 25n)).toBe(String(10n ** 25n));
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 18n), max: 9n * 10n ** 18n }), (ns) => {
        expect(parseNanoseconds(formatNanoseconds(ns))).toBe(ns);
      }),
    );
  });

  it("goes to a Date and back, less what is smaller than a millisecond", () => {
    expect(nanosecondsOf(new Date(1795169100123))).toBe(1795169100123000000n);
    expect(dateOf(1795169100123999999n).getTime()).toBe(1795169100123);
    expect(dateOf(-1n).getTime()).toBe(-1);
    expect(dateOf(-1_000_000n).getTime()).toBe(-1);
  });
});
