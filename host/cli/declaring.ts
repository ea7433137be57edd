/** What declarations of commands are written with. A declaration loads nothing of what its command does. */
import { InvalidArgumentError, Option } from "commander";

/** Help text: what a person would type. */
export function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}

/** Parses an option that may be repeated. */
export function collect(value: string, previous: string[] = []): string[] {
  return [...previous, value];
}

/** Parses an option's number. */
export function wholeNumber(least: number, most: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (/^\d+$/.test(value) && number >= least && number <= most) return number;
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  };
}

/** An action whose file is loaded when it is run. */
export function lazily<A extends unknown[]>(
  load: () => Promise<(...args: A) => Promise<void>>,
): (...args: A) => Promise<void> {
  return async (...args) => (await load())(...args);
}

/** `--offset` of a list. */
export function offsetOption(): Option {
  return new Option("--offset <n>", "leave out the first n (default: 0)").argParser(wholeNumber(0, 1_000_000_000));
}

/** `--count` of a list that shows so many without it. */
export function countOption(shown: number): Option {
  return new Option("--count <n>", `most to show (default: ${shown})`).argParser(wholeNumber(1, 1000));
}
