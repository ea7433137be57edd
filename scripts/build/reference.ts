/** From declarations to `docs/functions.md`. */
import {
  takesOnce,
  type ArgumentType,
  type Declaration,
  type KeysForm,
  type Meaning,
  type Option,
  type ReplyType,
} from "../../functions/runtime/declare";
import type { Schema, Schemas } from "../../functions/runtime/schema";
import { optionDoc } from "./contract";
import { ERRORS, REPEATS } from "./manifest";

const UNITS: Partial<Record<string, string>> = {
  ms: "ms",
  s: "seconds",
  unix_ms: "unix ms",
  unix_ns: "unix ns",
  days: "days",
  bytes: "bytes",
};

const link = (name: string): string => `[${name}](#${name.toLowerCase()})`;

/** What a meaning adds to a type; nothing where it adds nothing. */
function meaningText(type: string, { unit, flag, schema, words, always }: Partial<Meaning>): string {
  if (flag) return "0 or 1";
  if (always) return "1";
  if (schema !== undefined) return type.replace(/JSON (?:text|object)|^text/, `JSON of ${link(schema)}`);
  if (words) return words.map((each) => `\`${each}\``).join(", ");
  return unit === undefined ? type : type.replace(/^(integer|text)/, `$1, ${UNITS[unit]}`);
}

function argumentText(type: ArgumentType<unknown>): string {
  switch (type.kind) {
    case "integer":
      return `integer, ${type.min} to ${type.max}`;
    case "time":
      return "unix time, ms";
    case "choice":
      return type.values!.map((value) => `\`${value}\``).join(", ");
    case "id":
      return "id, 40 hex digits";
    case "json":
      return `JSON object, at most ${type.max} bytes`;
    case "bytes":
      return `${type.min} to ${type.max} bytes`;
    case "text":
      return `text, ${type.min} to ${type.max} bytes`;
    case "pair":
      return type.parts!.map((part) => `${part.name}: ${argumentText(part.type)}`).join("; ");
  }
}

function signature(declaration: Declaration): string {
  const option = (each: Option): string => {
    const value = each.type.parts
      ? each.type.parts.map((part) => part.name).join(" ")
      : each.type.kind === "choice"
        ? each.type.values!.join("|")
        : each.type.kind === "time"
          ? "ms"
          : each.type.kind === "integer"
            ? "n"
            : each.type.kind;
    return each.required ? `${each.name} ${value}` : `[${each.name} ${value}]`;
  };
  return [
    `FCALL${declaration.flags.includes("no-writes") ? "_RO" : ""} ${declaration.name} 0`,
    ...declaration.positional.map((each) => each.name),
    ...(declaration.rest
      ? [...(declaration.rest.optional ? [] : [declaration.rest.name]), `[${declaration.rest.name} …]`]
      : []),
    ...declaration.options.map(option),
    ...(takesOnce(declaration) ? ["[ONCE text]"] : []),
  ].join(" ");
}

function replyText(type: ReplyType): string {
  switch (type.kind) {
    case "integer":
      return "integer";
    case "text":
      return "text";
    case "bytes":
      return "bytes";
    case "json":
      return "JSON text";
    case "nullable":
      return `${replyText(type.of!)}, or nil`;
    case "list":
      return `array of ${replyText(type.of!)}`;
    case "tuple":
      return `[${[...type.items!.map((item) => item.name), ...(type.of ? [`${replyText(type.of)} …`] : [])].join(", ")}]`;
    case "record":
      return "record";
  }
}

function argumentTable(declaration: Declaration): string[] {
  const rows = [
    ...declaration.positional.map(
      (each) => `| \`${each.name}\` | ${meaningText(argumentText(each.type), each)} | ${each.doc} |`,
    ),
    ...(declaration.rest
      ? [
          `| \`${declaration.rest.name} …\` | JSON objects (${link(declaration.rest.schema ?? "")}), ${declaration.rest.optional ? 0 : 1} to ${declaration.rest.max} | ${declaration.rest.doc} |`,
        ]
      : []),
    ...declaration.options.map(
      (each) =>
        `| \`${each.name}\`${each.required ? " (required)" : ""} | ${meaningText(argumentText(each.type), each)} | ${optionDoc(each)} |`,
    ),
  ];
  return rows.length === 0 ? [] : ["| argument | is | means |", "|---|---|---|", ...rows, ""];
}

function replySection(type: ReplyType, answer?: Meaning): string[] {
  const inner = type.kind === "nullable" ? type.of! : type;
  const told = answer ? meaningText(replyText(type), answer) : replyText(type);
  const means = answer && answer.doc !== told ? `; ${answer.doc}` : "";
  if (inner.kind === "tuple") {
    const items = inner.items!.map(({ name, doc }) => `${name}: ${doc}`);
    return [`Reply: ${told}; ${items.join("; ")}${means}.`, ""];
  }
  if (inner.kind !== "record") return [`Reply: ${told}${means}.`, ""];
  const rows = inner.items!.map(
    (item) => `| \`${item.name}\` | ${meaningText(replyText(item.type), item)} | ${item.doc} |`,
  );
  return [`Reply: ${replyText(type)}`, "", "| field | is | means |", "|---|---|---|", ...rows, ""];
}

function keysSection(name: string, { keys, rest, doc, reply }: KeysForm): string[] {
  const call = [
    `FCALL ${name} ${keys.length}`,
    ...keys.map((each) => each.name),
    ...(rest ? [`[${rest.name} …]`] : []),
  ];
  return [
    doc,
    "",
    "```",
    call.join(" "),
    "```",
    "",
    "| key | means |",
    "|---|---|",
    ...keys.map((each) => `| \`${each.name}\` | ${each.doc} |`),
    ...(rest ? [`| \`${rest.name} …\` (arguments) | ${rest.doc} |`] : []),
    "",
    ...replySection(reply),
  ];
}

function section(declaration: Declaration): string[] {
  return [
    `### ${declaration.name}`,
    "",
    `${declaration.summary}.${declaration.doc ? ` ${declaration.doc}` : ""}`,
    "",
    "```",
    signature(declaration),
    "```",
    "",
    ...argumentTable(declaration),
    ...replySection(declaration.reply, declaration.answer),
    ...(declaration.keysForm ? keysSection(declaration.name, declaration.keysForm) : []),
    ...errorSection(declaration),
    `Role: ${declaration.role}.${repeatText(declaration)}`,
    "",
  ];
}

function errorSection({ errors, causes = {} }: Declaration): string[] {
  const own = errors.filter((code) => causes[code] !== undefined).map((code) => `${code}: ${causes[code]}`);
  return [`Errors: ${errors.join(", ")}.${own.length > 0 ? ` ${own.join(". ")}.` : ""}`, ""];
}

function repeatText({ repeat }: Declaration): string {
  return repeat === undefined ? "" : ` Repeated: *${repeat}*.`;
}

const shown = (schema: Schema): string => {
  if (schema.$ref !== undefined) return link(schema.$ref.replace("#/schemas/", ""));
  if (schema.anyOf) return schema.anyOf.map(shown).join(" or ");
  if (schema.enum) return schema.enum.map((each) => `\`${each}\``).join(", ");
  const types = [schema.type ?? "anything"].flat().join(" or ");
  const unit = schema["x-unit"];
  if (schema.items) return `array of ${shown(schema.items)}`;
  if (typeof schema.additionalProperties === "object") return `object of ${shown(schema.additionalProperties)}`;
  return unit === undefined ? types : `${types}, ${UNITS[unit]}`;
};

/** A schema as a table of its properties. */
function schemaSection([name, schema]: [string, Schema]): string[] {
  const head = [`### ${name}`, "", schema.description ?? "", ""];
  if (!schema.properties) return [...head, `Is: ${shown(schema)}.`, ""];
  const rows = Object.entries(schema.properties).map(([property, each]) => {
    const optional = schema.required?.includes(property) ? "" : " (optional)";
    const described = each.anyOf?.[0]?.description ?? each.description ?? "";
    return `| \`${property}\`${optional} | ${shown(each)} | ${described} |`;
  });
  return [...head, "| property | is | means |", "|---|---|---|", ...rows, ""];
}

/** What all functions have in common. */
function commonSections(eventReasons: Readonly<Record<string, string>>): string[] {
  return [
    "## Errors",
    "",
    "An error begins with its code. What a code means beyond this is said with the function.",
    "",
    "| code | means | the same call again |",
    "|---|---|---|",
    ...Object.entries(ERRORS).map(([code, { meaning, retry }]) => `| ${code} | ${meaning} | ${retry} |`),
    "",
    "Why an event is refused (BADEVENT), as it is counted and kept:",
    "",
    "| reason | means |",
    "|---|---|",
    ...Object.entries(eventReasons).map(([reason, meaning]) => `| \`${reason}\` | ${meaning} |`),
    "",
    "## Repeated calls",
    "",
    "Most clients send a command again by themselves when its reply was lost. With each function stands what that does:",
    "",
    "| repeated | means |",
    "|---|---|",
    ...Object.entries(REPEATS).map(([kind, meaning]) => `| *${kind}* | ${meaning} |`),
    "",
  ];
}

/** What all functions that write have in common. */
const ONCE = [
  "## Once",
  "",
  "Most clients send a command again by themselves when its reply was lost, and so most calls would be counted twice now and then.",
  "Every function that writes takes `ONCE text` (1 to 64 bytes), which names the call. Its reply is kept in the same call, and a repeat",
  "is answered byte for byte alike and does nothing: from another connection, in any order, and after a failover that kept the",
  "write. `ONCE_FOR ms` says for how long (1,000 to 3,600,000; default 600,000, ten minutes).",
  "",
  "- Take a new text for each call that is meant, as a UUID, and the same for its repeats. Another call under the same text, or the",
  "  same with other arguments, answers CONFLICT and does nothing.",
  "- A call that answered an error has written nothing, and nothing is kept of it: the repeat runs.",
  "- It holds within the partition of the routing key, for all libraries together, and not for the forms with keys.",
  "- A kept reply takes some 150 bytes, its text and itself. A reply of more than 1 MB is not kept: a repeat does nothing, and answers",
  "  CONFLICT. Each library keeps at most 128 MB on a server. While more than half of it is in use, replies are kept for 30 seconds;",
  "  when it is full, calls with ONCE answer LIMIT and do nothing.",
  "",
];

/** The text of `docs/functions.md`. */
export function renderReference(
  libraries: ReadonlyMap<string, readonly Declaration[]>,
  schemas: Schemas,
  eventReasons: Readonly<Record<string, string>>,
): string {
  return [
    "# Functions",
    "",
    "Generated by `npm run build` from the declarations in `functions/`. Every function takes one optional routing key",
    "(`FCALL name 1 {partition} …`): its hash tag sends the call to the right shard of a cluster and is written into the",
    "names of all keys of the call; the key itself is never read or written. Ids are given and answered without the tag. In a",
    "cluster give one with each call: one with 0 keys goes to any node. A *record* is a flat array of field, value,",
    "field, value, as HGETALL answers. [Calling from any client](clients.md) says how clients do all this, and what each error means.",
    "",
    "Every function may answer TRYAGAIN in a cluster, with a routing key: its slot is being moved key by key, nothing was done,",
    "and the same call can be made again.",
    "",
    ...ONCE,
    "All of this is in the package for programs as `hotpath/manifest.json`, whose form is `hotpath/manifest.schema.json`.",
    "",
    ...commonSections(eventReasons),
    ...[...libraries].flatMap(([library, declarations]) => [`## ${library}`, "", ...declarations.flatMap(section)]),
    "## JSON",
    "",
    "What JSON texts hold, in arguments and replies.",
    "",
    ...Object.entries(schemas).flatMap(schemaSection),
  ].join("\n");
}
