/** What a terminal in raw mode sends, as keys. Pure. */

export type Key =
  | "up"
  | "down"
  | "left"
  | "right"
  | "page up"
  | "page down"
  | "home"
  | "end"
  | "enter"
  | "escape"
  | "backspace"
  | "tab"
  | "interrupt"
  | "suspend"
  /** A character as it is. */
  | { text: string };

const ESCAPE = "\u001b";

/** After ESC [ or ESC O: what xterm and those after it send. */
const SEQUENCES: Record<string, Key> = {
  A: "up",
  B: "down",
  C: "right",
  D: "left",
  H: "home",
  F: "end",
  "1~": "home",
  "4~": "end",
  "5~": "page up",
  "6~": "page down",
  "7~": "home",
  "8~": "end",
};

const CONTROLS: Record<string, Key> = {
  "\r": "enter",
  "\n": "enter",
  "\t": "tab",
  "\b": "backspace",
  "\u007f": "backspace",
  "\u0003": "interrupt",
  "\u001a": "suspend",
};

/**
 * Takes input apart. An escape sequence that is not known is dropped whole, so that its letters are not taken for keys.
 *
 * @param input what came in one read; terminals write a sequence at once
 */
export function decodeKeys(input: string): Key[] {
  const keys: Key[] = [];
  let rest = input;
  while (rest !== "") {
    const sequence = /^\u001b(?:\[|O)([0-9;?<]*[A-Za-z~])/.exec(rest);
    if (sequence !== null) {
      const known = SEQUENCES[sequence[1]!];
      if (known !== undefined) keys.push(known);
      rest = rest.slice(sequence[0].length);
      continue;
    }
    const character = String.fromCodePoint(rest.codePointAt(0)!);
    rest = rest.slice(character.length);
    if (character === ESCAPE) keys.push("escape");
    else if (CONTROLS[character] !== undefined) keys.push(CONTROLS[character]);
    else if (character >= " ") keys.push({ text: character });
  }
  return keys;
}
