/** Rules of a vendor's configuration: where on a page a text is to be found, and what of it is wanted. */
import { compile } from "css-select";
import { z } from "zod";
import { propertyPath } from "../fetch/settings";

/** A CSS selector of level 4 as far as css-select knows it, and its `:contains()` and `:icontains()`. */
export const selector = z
  .string()
  .min(1)
  .max(1000)
  .superRefine((text, context) => {
    try {
      compile(text);
    } catch (error) {
      context.addIssue({ code: "custom", message: `is no CSS selector: ${(error as Error).message}` });
    }
  });

/** Upper and lower case are one, and a dot is any character: what is cut out often has lines. */
const pattern = z
  .string()
  .min(1)
  .max(1000)
  .transform((text, context) => {
    try {
      return new RegExp(text, "is");
    } catch (error) {
      context.addIssue({ code: "custom", message: `is no regular expression: ${(error as Error).message}` });
      return z.NEVER;
    }
  });

const ruleSchema = z
  .strictObject(
    {
      select: selector.optional(),
      attribute: z
        .string()
        .regex(/^[^\s"'>/=]{1,100}$/, "must be the name of an attribute")
        .toLowerCase()
        .optional(),
      linkedData: propertyPath.optional(),
      value: z.string().min(1).max(500).optional(),
      match: pattern.optional(),
      json: propertyPath.optional(),
    },
    {
      error: (issue) => (issue.code === "invalid_type" ? "must be a selector, a rule, or a list of these" : undefined),
    },
  )
  .superRefine((rule, context) => {
    const sources = (["select", "linkedData", "value"] as const).filter((name) => rule[name] !== undefined);
    const refuse = (name: string, message: string): void => context.addIssue({ code: "custom", path: [name], message });
    if (sources.length > 1) refuse(sources[1]!, `a rule has one source, and ${sources[0]} is one already`);
    if (rule.attribute !== undefined && sources[0] !== undefined && sources[0] !== "select")
      refuse("attribute", `${sources[0]} has no attributes`);
    if (rule.value !== undefined && rule.json !== undefined) refuse("json", "a value is taken as it is");
    if (rule.value !== undefined && rule.match !== undefined) refuse("match", "a value is taken as it is");
  });

/**
 * Finds a text. `select` looks for elements within the one at hand (without it: the one at hand itself), `attribute` takes
 * one of their attributes in place of their text; `linkedData` is a property of the product in the page's JSON-LD; `value`
 * is always the same. `match` keeps its first group, or all that it matches; `json` reads that as JSON and takes a property
 * of it. The first element that yields a text by all of this counts.
 */
export type Rule = z.output<typeof ruleSchema>;

type Problem = z.core.$ZodRawIssue;

/** The parts of a value that may be one or a list of them, with their problems where the reader wrote them. */
function readRules(value: unknown, addIssue: (issue: Problem) => void): Rule[] {
  const isList = Array.isArray(value);
  const parts: unknown[] = isList ? value : [value];
  if (parts.length === 0 || parts.length > 10)
    addIssue({ code: "custom", message: "must be 1 to 10 rules", input: value });
  return parts.flatMap((part, at) => {
    const isText = typeof part === "string";
    const parsed = ruleSchema.safeParse(isText ? { select: part } : part);
    if (parsed.success) return [parsed.data];
    for (const issue of parsed.error.issues) {
      const path = [...(isList ? [at] : []), ...(isText ? [] : issue.path)];
      addIssue({ ...issue, path, input: part } as Problem);
    }
    return [];
  });
}

/** Rules of which the first one that finds something counts: a selector, a rule, or a list of these. */
export const rules = z.unknown().transform((value, context) => readRules(value, (issue) => context.issues.push(issue)));

/** The same for what is an address: of elements the attribute `href`, unless another one is named. */
export const linkRules = rules.transform((all) =>
  all.map((rule) =>
    rule.linkedData === undefined && rule.value === undefined ? { attribute: "href", ...definedOf(rule) } : rule,
  ),
);

function definedOf(rule: Rule): Rule {
  return Object.fromEntries(Object.entries(rule).filter(([, value]) => value !== undefined));
}
