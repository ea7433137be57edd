/** Calls made from declarations: good ones, and each way to get one wrong, with what every function must do about it. */
import { beforeAll, expect, it } from "vitest";
import type { ArgumentType, Declaration, Parameter } from "../../functions/runtime/declare";
import type { TestClient } from "./server";
import { digest } from "./tracker";
import { refusalOf } from "./functions";

/** What a library's declarations do not tell. */
export interface Known {
  /** Values that make sense, by name of argument; two for an option that takes two. */
  good: Record<string, string | string[]>;
  /** Any id, any time (ms), and the object at a place of a list of JSON. */
  id: string;
  timeMs: number;
  rest?: (at: number) => string;
  /** Arguments of which more is asked than their length. */
  shaped?: readonly string[];
  /** More that is wrong with a function. */
  more?: (declaration: Declaration, calls: Calls) => Malformed[];
}

/** A call that is wrong in one way. */
export interface Malformed {
  what: string;
  keys?: string[];
  args: string[];
  code: "BADARG" | "BADCONFIG" | "LIMIT";
  /** What the sentence must hold: the argument's name, and the offending value where there is one. */
  names: string[];
}

/** The arguments of a good call: what is positional, JSON, and the options asked for. */
export interface GoodCall {
  positional: string[];
  rest: string[];
  options: string[][];
}

/** The functions of a library on a test's server. */
interface Library {
  readonly client: TestClient;
  routed(keys: string[], name: string, ...args: string[]): Promise<unknown>;
}

const MAX_QUOTED = 64;
const NO_INTEGER = [
  "",
  "yesterday",
  "1.5",
  "1e3",
  " 1",
  "+1",
  "0x10",
  "1 ",
  "--1",
  "nan",
  "9".repeat(16),
  "9".repeat(400),
  "1\r\n2",
];
/** What no reply may show: where in a script something went wrong. */
const TRACE = /user_function|@user|script:|\.lua|\.ts\b|stack traceback|attempt to|\[string/;

/** As messages show a value: in quotes, cut, without control characters. */
export const quoted = (value: string): string =>
  value.length > MAX_QUOTED ? `'${value.slice(0, MAX_QUOTED)}...'` : `'${value.replaceAll(/[\x00-\x1f\x7f]/g, "?")}'`;

export const flat = ({ positional, rest, options }: GoodCall): string[] => [...positional, ...rest, ...options.flat()];

/** Makes calls of a library's functions. */
export class Calls {
  readonly #known: Known;

  constructor(known: Known) {
    this.#known = known;
  }

  /** A value that the type allows; near the middle, so that calls with it work. */
  #goodValue(type: ArgumentType<unknown>): string {
    switch (type.kind) {
      case "text":
      case "bytes":
        return "x".repeat(Math.max(type.min!, 1));
      case "integer":
        return String(Math.max(type.min!, Math.min(type.max!, 1000)));
      case "time":
        return String(this.#known.timeMs);
      case "choice":
        return type.values![0]!;
      case "id":
        return this.#known.id;
      case "json":
        return "{}";
      case "pair":
        throw new Error("a pair has two values");
    }
  }

  /** The values that an argument allows: one, or two in order. */
  good({ type, name }: Parameter): string[] {
    const known = this.#known.good[name];
    if (known !== undefined) return [known].flat();
    if (!type.parts) return [this.#goodValue(type)];
    return type.parts.map((part, at) =>
      part.type.kind === "time" ? String(this.#known.timeMs + at) : this.#goodValue(part.type),
    );
  }

  /** A call with all that is required, and NOW. */
  goodCall({ positional, rest, options }: Declaration): GoodCall {
    return {
      positional: positional.flatMap((each) => this.good(each)),
      rest: rest ? [this.#known.rest!(0)] : [],
      options: options
        .filter(({ required, name }) => required === true || name === "NOW")
        .map((each) => [each.name, ...this.good(each)]),
    };
  }

  /** The good call with one option set or left out. */
  withOption(declaration: Declaration, name: string, ...put: string[]): string[] {
    const good = this.goodCall(declaration);
    return flat({ ...good, options: [...good.options.filter(([each]) => each !== name), put] });
  }

  /** Values that the type does not allow. */
  #bad(type: ArgumentType<unknown>): string[] {
    const { id } = this.#known;
    switch (type.kind) {
      case "text":
      case "bytes":
        return [...(type.min! > 0 ? ["x".repeat(type.min! - 1)] : []), "x".repeat(type.max! + 1)];
      case "integer":
      case "time":
        return [String(type.min! - 1), String(type.max! + 1), "-99999", ...NO_INTEGER];
      case "choice":
        return ["", "X", `${type.values![0]} `, `${type.values!.join(",")},`, "\0"];
      case "id":
        return ["", "rtl", id.slice(1), `${id}0`, `g${id.slice(1)}`, `${id.slice(1)} `, `${id.slice(1)}\n`];
      case "pair":
        return [];
      case "json":
        return ["", "[]", "null", "5", '"text"', "hosts", `{${" ".repeat(type.max!)}}`];
    }
  }

  /** The ends of what an argument allows. */
  bounds({ name, type }: Parameter): string[] {
    if (this.#known.shaped?.includes(name)) return [];
    switch (type.kind) {
      case "text":
        return ["x".repeat(type.min!), "x".repeat(type.max!)];
      case "bytes":
        throw new Error(`no bytes are good for ${name} by their number alone`);
      case "integer":
      case "time":
        return [String(type.min), String(type.max)];
      case "choice":
        return type.values!.flatMap((value) => [value, value.toLowerCase(), value.toUpperCase()]);
      case "id":
        return [this.#known.id, this.#known.id.toUpperCase()];
      case "pair":
        return [];
      case "json":
        return ["{}", " \n{}"];
    }
  }

  #badPositional({ positional }: Declaration, good: GoodCall): Malformed[] {
    return positional.flatMap((parameter, at) => {
      const { name, type } = parameter;
      const missing: Malformed = {
        what: `without ${name}`,
        args: good.positional.slice(0, at),
        code: "BADARG",
        names: [name, "missing"],
      };
      const bad = this.#bad(type).map((value): Malformed => {
        const args = flat({ ...good, positional: good.positional.with(at, value) });
        return { what: `${name} ${quoted(value)}`, args, code: "BADARG", names: [name, "must be", quoted(value)] };
      });
      return [missing, ...bad];
    });
  }

  #badRest({ rest }: Declaration, good: GoodCall): Malformed[] {
    if (!rest) return [];
    const { name, max } = rest;
    const many = Array.from({ length: max + 1 }, (_, at) => this.#known.rest!(at));
    const tooMany: Malformed = {
      what: "too much JSON",
      args: flat({ ...good, rest: many }),
      code: "LIMIT",
      names: [name, String(max), String(max + 1)],
    };
    if (rest.optional) return [tooMany];
    const others = ["", "[]", "null", "url", "NOW"].map((value): Malformed => {
      return {
        what: `${quoted(value)} for JSON`,
        args: [...good.positional, value],
        code: "BADARG",
        names: [name, quoted(value)],
      };
    });
    return [
      tooMany,
      { what: "without JSON", args: good.positional, code: "BADARG", names: [name, "nothing"] },
      ...others,
    ];
  }

  #badOptions(declaration: Declaration, good: GoodCall): Malformed[] {
    const calls: Malformed[] = [];
    const add = (what: string, args: string[], ...names: string[]): void =>
      void calls.push({ what, args, names, code: "BADARG" });
    for (const option of declaration.options) {
      const { name, type, required } = option;
      const values = this.good(option);
      const put = (...words: string[]): string[] => this.withOption(declaration, name, ...words);
      if (required)
        add(
          `without ${name}`,
          flat({ ...good, options: good.options.filter(([each]) => each !== name) }),
          name,
          "missing",
        );
      add(`${name} without a value`, put(name), name, "no value");
      add(`${name} twice`, put(name, ...values, name, ...values), name, "twice");
      add(`${name} twice, in two spellings`, put(name, ...values, name.toLowerCase(), ...values), name, "twice");
      for (const value of this.#bad(type))
        add(`${name} ${quoted(value)}`, put(name, value), name, "must be", quoted(value));
      for (const [at, part] of (type.parts ?? []).entries()) {
        add(`${name} without ${part.name}`, put(name, ...values.slice(0, at)), name, part.name, "no value");
        for (const value of this.#bad(part.type)) {
          add(
            `${name} ${part.name} ${quoted(value)}`,
            put(name, ...values.with(at, value)),
            name,
            part.name,
            "must be",
            quoted(value),
          );
        }
      }
    }
    add("an option that there is none of", [...flat(good), "NOSUCH", "1"], "NOSUCH");
    add("an option that there is none of, without a value", [...flat(good), "no such"], "'no such'");
    add("an empty option", [...flat(good), ""], "''");
    add("an argument too many", [...flat(good), "5"], "'5'");
    return calls;
  }

  /** Each way to get a call wrong that its declaration tells. */
  malformed(declaration: Declaration): Malformed[] {
    const good = this.goodCall(declaration);
    const args = flat(good);
    // Where a form has two keys, two keys are that form.
    const keys = declaration.keysForm?.keys.length === 2 ? ["{a}", "{b}", "{c}"] : ["{a}", "{b}"];
    return [
      ...this.#badPositional(declaration, good),
      ...this.#badRest(declaration, good),
      ...this.#badOptions(declaration, good),
      ...(this.#known.more?.(declaration, this) ?? []),
      { what: "two routing keys", keys, args, code: "BADARG", names: ["routing key", String(keys.length)] },
      {
        what: "a colon in the braces of the routing key",
        keys: ["x{a:b}y"],
        args,
        code: "BADARG",
        names: ["routing key", "'x{a:b}y'"],
      },
    ];
  }
}

/**
 * Tests that a function refuses each malformed call with a code and a sentence, and leaves nothing behind. For the `describe` of
 * the function.
 *
 * @param seed brings the database into a state in which a call that writes what it should not changes something
 */
export function itRefusesMalformedCalls(
  library: Library,
  calls: Calls,
  declaration: Declaration,
  seed: () => Promise<void>,
): void {
  const malformed = calls.malformed(declaration);
  let before: Record<string, string>;

  beforeAll(async () => {
    await seed();
    before = await digest(library.client);
  });

  it(`refuses ${malformed.length} malformed calls with a code, naming the argument and the value, and writes nothing`, async () => {
    for (const { what, keys = [], args, code, names } of malformed) {
      const message = (await refusalOf(library.routed(keys, declaration.name, ...args))) ?? "no error";
      expect.soft(message, what).toMatch(new RegExp(`^${code} `));
      for (const named of names) expect.soft(message, what).toContain(named);
      expect.soft(message, what).not.toMatch(TRACE);
      expect.soft(message.length, what).toBeLessThan(500);
      const after = await digest(library.client);
      expect.soft(after, `${what}: something was written`).toEqual(before);
      // One is told apart from the next only if the next starts from the same.
      before = after;
    }
  });

  it("declares the codes that it answers", () => {
    const codes = new Set(malformed.map(({ code }) => code));
    expect([...codes].filter((code) => !declaration.errors.includes(code))).toEqual([]);
  });
}

/** Tests that no value at the end of what is allowed is refused as being out of range. */
export function itTakesBothEnds(library: Library, calls: Calls, declaration: Declaration): void {
  it("takes both ends of each bound", async () => {
    const { name, positional, options } = declaration;
    const good = calls.goodCall(declaration);
    const requireTaken = async (argument: string, value: string, args: string[]): Promise<void> => {
      const message = (await refusalOf(library.routed([], name, ...args))) ?? "";
      expect
        .soft(message, `${argument} ${quoted(value)}`)
        .not.toMatch(
          new RegExp(
            `${argument} must be (text of |an integer from |a unix time in |one of |an id of |a JSON object of )|^ERR `,
          ),
        );
    };
    expect((await refusalOf(library.routed([], name, ...flat(good)))) ?? "NOTFOUND", "a good call").toMatch(
      /^NOTFOUND/,
    );
    for (const [at, parameter] of positional.entries()) {
      for (const value of calls.bounds(parameter))
        await requireTaken(parameter.name, value, flat({ ...good, positional: good.positional.with(at, value) }));
    }
    for (const option of options) {
      for (const value of calls.bounds(option))
        await requireTaken(option.name, value, calls.withOption(declaration, option.name, option.name, value));
    }
  });
}
