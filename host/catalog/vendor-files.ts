/** Vendors in files of their own, which configurations share and change in places. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { UserError } from "../runtime/errors";

type Settings = Record<string, unknown>;

/**
 * Puts in what is in files: a vendor that is a text is the name of its file; one with `file` has the file's settings, except
 * where it has its own.
 *
 * @param vendors the section as it was read; what is no object is left to the schema to refuse
 * @param directory relative names start here: where the configuration's file is
 * @throws UserError that names the vendor and the file
 */
export function inlineVendorFiles(vendors: unknown, directory: string): unknown {
  if (!isSettings(vendors)) return vendors;
  return Object.fromEntries(
    Object.entries(vendors).map(([name, vendor]) => [name, inlineFile(name, vendor, directory)]),
  );
}

function inlineFile(name: string, vendor: unknown, directory: string): unknown {
  if (typeof vendor === "string") return readVendorFile(name, resolve(directory, vendor));
  if (!isSettings(vendor) || typeof vendor["file"] !== "string") return vendor;
  const { file, ...own } = vendor;
  const shared = readVendorFile(name, resolve(directory, file));
  return isSettings(shared) ? { ...shared, ...own } : shared;
}

function readVendorFile(name: string, path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as unknown;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const problem = code === "ENOENT" ? "there is no such file" : message.replace(/\s*\n\s*/g, " ");
    throw new UserError(`catalog.vendors.${name}: ${path}: ${problem}`);
  }
}

function isSettings(value: unknown): value is Settings {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
