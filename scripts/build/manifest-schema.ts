/** The form of the manifest, from which its published JSON Schema is made. */
import { z } from "zod";
import { ROLES, type Unit } from "../../functions/runtime/declare";

const CODES = ["BADARG", "BADEVENT", "BADCONFIG", "NOTFOUND", "CONFLICT", "LIMIT", "TRYAGAIN"] as const;
const code = z.enum(CODES);
const retry = z
  .enum(["never", "later", "now"])
  .describe("whether the same call may be made again: never, once something else has changed, or at once");
const doc = z.string().min(1);

const meaning = {
  unit: z.enum(["ms", "unix_ms", "unix_ns", "days", "bytes", "s"]).optional(),
  flag: z.literal(true).optional().describe("an integer that is 0 for no and 1 for yes"),
  schema: z.string().optional().describe("name in `schemas` of what a JSON text holds"),
  words: z.array(z.string()).readonly().optional().describe("all words that a text may be"),
  always: z.literal(1).optional().describe("the reply is always 1, and says that the call was carried out"),
};

const type = z.strictObject({
  kind: z.enum(["text", "bytes", "integer", "time", "choice", "id", "json", "pair"]),
  min: z.number().optional().describe("bytes of text, bytes and JSON, value of integers and times; included"),
  max: z.number().optional(),
  values: z.array(z.string()).optional().describe("the words of a choice, in any case"),
  get parts() {
    return z
      .array(z.strictObject({ name: z.string(), type }))
      .optional()
      .describe("the two values of a pair");
  },
});

const argument = z.strictObject({ name: z.string(), type, ...meaning, doc });

export interface ManifestReply {
  kind: "integer" | "text" | "bytes" | "json" | "nullable" | "list" | "tuple" | "record";
  of?: ManifestReply | undefined;
  items?: { name: string; type: ManifestReply; doc: string }[] | undefined;
  unit?: Unit | undefined;
  flag?: true | undefined;
  schema?: string | undefined;
  words?: readonly string[] | undefined;
  always?: 1 | undefined;
  doc?: string | undefined;
}

const reply: z.ZodType<ManifestReply> = z.strictObject({
  kind: z.enum(["integer", "text", "bytes", "json", "nullable", "list", "tuple", "record"]),
  get of(): z.ZodOptional<z.ZodType<ManifestReply>> {
    return reply.optional().describe("what is nullable, what a list holds, or what follows the items of a tuple");
  },
  get items(): z.ZodOptional<z.ZodType<{ name: string; type: ManifestReply; doc: string }[]>> {
    return z.array(z.strictObject({ name: z.string(), type: reply, doc })).optional();
  },
  ...meaning,
  doc: doc.optional().describe("what a reply of one value means, or the values after the items of a tuple"),
});

const rights = z.strictObject({
  commands: z.array(z.string()),
  keys: z.array(z.strictObject({ pattern: z.string(), access: z.enum(["read", "write"]) })),
  userKeys: z.enum(["read", "write"]).nullable(),
});

const manifestFunction = z.strictObject({
  name: z.string().regex(/^[a-z][a-z_]*$/),
  summary: z.string().min(1),
  doc: doc.optional(),
  role: z.enum(ROLES),
  flags: z.array(z.enum(["no-writes", "allow-stale", "allow-oom"])),
  readOnly: z.boolean().describe("callable with FCALL_RO, and on replicas"),
  positional: z.array(argument),
  rest: z
    .strictObject({
      name: z.string(),
      type: z.strictObject({ kind: z.literal("json") }),
      min: z.number(),
      max: z.number(),
      ...meaning,
      doc,
    })
    .optional(),
  options: z.array(argument.extend({ required: z.boolean(), default: z.union([z.number(), z.string()]).optional() })),
  excludes: z.array(z.array(z.string())).describe("options of which a call takes one at most"),
  reply,
  keysForm: z
    .strictObject({
      doc,
      keys: z.array(z.strictObject({ name: z.string(), doc })),
      rest: z.strictObject({ name: z.string(), doc }).optional(),
      reply,
    })
    .optional()
    .describe("a second form for clients of scripts that were there before"),
  errors: z.array(z.strictObject({ code, meaning: z.string(), retry })),
  repeat: z
    .strictObject({ kind: z.enum(["reads", "same", "next", "takes", "differs", "again"]), meaning: z.string() })
    .describe("what the call does when it is made a second time, because its reply was lost"),
  paging: z.strictObject({ kind: z.enum(["remaining", "cursor", "offset"]), meaning: z.string() }).nullable(),
  rights,
});

const library = z.strictObject({
  name: z.string(),
  file: z.string(),
  hash: z.string(),
  bytes: z.number(),
  functions: z.array(manifestFunction),
});

export const manifestSchema = z.strictObject({
  $schema: z.string(),
  format: z.literal(1),
  version: z.string(),
  calls: z.strictObject({
    routingKey: z.strictObject({ form: z.string(), maxBytes: z.number(), meaning: z.string() }),
    order: z.string(),
    records: z.string(),
    missing: z.string(),
  }),
  units: z.record(z.string(), z.string()),
  errors: z.array(z.strictObject({ code, meaning: z.string(), retry })),
  eventReasons: z
    .array(z.strictObject({ reason: z.string(), meaning: z.string() }))
    .describe("why an event is BADEVENT: the counter's name, and the sentence in the message"),
  schemas: z.record(z.string(), z.looseObject({})).describe("JSON Schemas; they refer to each other as #/schemas/Name"),
  libraries: z.array(library),
});

export type Manifest = z.infer<typeof manifestSchema>;
export type ManifestLibrary = z.infer<typeof library>;
export type ManifestFunction = z.infer<typeof manifestFunction>;
export type ManifestArgument = z.infer<typeof argument>;
export type ManifestType = z.infer<typeof type>;

/** The JSON Schema of the manifest. */
export function manifestJsonSchema(): object {
  return z.toJSONSchema(manifestSchema, { target: "draft-2020-12" });
}
