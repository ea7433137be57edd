/** Problems of a configuration as people read them: where, and what. */
import { z } from "zod";

/** What is wrong, and where. */
export interface Issue {
  path: PropertyKey[];
  message: string;
}

/** A problem that zod found, one line for each setting that nobody knows. */
export function describeIssue(issue: z.core.$ZodIssue): string[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => `${formatPath([...issue.path, key])}: unknown setting`);
  }
  // What is wrong with a name that somebody chose is said one level below.
  if (issue.code === "invalid_key")
    return issue.issues.map(({ message }) => formatIssue({ path: issue.path, message }));
  return [formatIssue(issue)];
}

export function formatIssue({ path, message }: Pick<Issue, "path" | "message">): string {
  return `${formatPath(path)}: ${message}`;
}

/** `tracker.streams[0].key` */
function formatPath(path: readonly PropertyKey[]): string {
  const text = path.reduce<string>((joined, part) => {
    if (typeof part === "number") return `${joined}[${part}]`;
    const name =
      /^[A-Za-z_]\w*$/.test(String(part)) || /^\d+[A-Z]+$/.test(String(part)) ? String(part) : JSON.stringify(part);
    return joined === "" ? name : `${joined}.${name}`;
  }, "");
  return text === "" ? "the whole" : text;
}

/** Text that `read` accepts; the message of its error becomes the problem. */
export function readable(read: (text: string) => unknown): z.ZodString {
  return z.string().superRefine((text, context) => {
    try {
      read(text);
    } catch (error) {
      context.addIssue({ code: "custom", message: (error as Error).message });
    }
  });
}
