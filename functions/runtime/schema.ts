/**
 * JSON Schemas of the JSON texts that functions take and answer, as the manifest publishes them. For the build alone: no
 * library imports this file, or a `schemas.ts`.
 */
import type { Unit } from "./declare";

export interface Schema {
  $ref?: string;
  type?: string | readonly string[];
  description?: string;
  enum?: readonly string[];
  anyOf?: readonly Schema[];
  items?: Schema;
  prefixItems?: readonly Schema[];
  properties?: Readonly<Record<string, Schema>>;
  required?: readonly string[];
  additionalProperties?: boolean | Schema;
  /** In what a number, or a text of digits, is counted. */
  "x-unit"?: Unit;
}

/** Schemas by name. */
export type Schemas = Readonly<Record<string, Schema>>;

const one = (type: string, description?: string, unit?: Unit): Schema => ({
  type,
  ...(description !== undefined && { description }),
  ...(unit !== undefined && { "x-unit": unit }),
});

export const string = (description?: string, unit?: Unit): Schema => one("string", description, unit);
export const integer = (description?: string, unit?: Unit): Schema => one("integer", description, unit);
export const word = (values: readonly string[], description?: string): Schema => ({
  ...one("string", description),
  enum: values,
});

/** Anything that JSON can hold. */
export const anything = (description: string): Schema => ({ description });

/** The schema of that name. */
export const ref = (name: string): Schema => ({ $ref: `#/schemas/${name}` });

export const arrayOf = (items: Schema, description?: string): Schema => ({ ...one("array", description), items });

/** An object whose names are not known beforehand. */
export const mapOf = (values: Schema, description?: string): Schema => ({
  ...one("object", description),
  additionalProperties: values,
});

export const orNull = (schema: Schema): Schema =>
  typeof schema.type === "string" && schema.enum === undefined
    ? { ...schema, type: [schema.type, "null"] }
    : { anyOf: [schema, { type: "null" }] };

/**
 * An object.
 *
 * @param required what is always there
 * @param optional what may be left out
 * @param isOpen whether there may be more
 */
export const object = (
  description: string,
  required: Readonly<Record<string, Schema>>,
  optional: Readonly<Record<string, Schema>> = {},
  isOpen = false,
): Schema => ({
  type: "object",
  description,
  properties: { ...required, ...optional },
  required: Object.keys(required),
  additionalProperties: isOpen,
});
