/** The rights that functions need, as the build has found them in their code. */

export interface KeyRight {
  /** A glob. */
  pattern: string;
  access: "read" | "write";
}

export interface FunctionRights {
  /** In lower case; a subcommand after a bar: `xinfo|stream`. */
  commands: string[];
  keys: KeyRight[];
  /** What the function does with keys that its users name, if it does anything with such keys. */
  userKeys: "read" | "write" | null;
}
