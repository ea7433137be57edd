/** From `--website` and `--section` to the records that a ranking is narrowed to. */
import { UserError } from "../../runtime/errors";
import type { Source } from "../../tracker/source";
import { findTarget } from "../../tracker/targets";
import type { Filter } from "./query";

export interface FilterOptions {
  /** Name or id. */
  website?: string | undefined;
  /** Name of a section of that website; without one, `website/section` or an id. */
  section?: string | undefined;
}

/**
 * Finds what is meant.
 *
 * @throws UserError where nothing is known by that name
 */
export async function findFilter(
  sources: readonly Source[],
  { website, section }: FilterOptions,
): Promise<Filter | undefined> {
  if (section !== undefined) return sectionFilter(sources, website, section);
  if (website === undefined) return undefined;
  const { source, id, name } = await findTarget(sources, website, "W");
  return { partition: source.partition, websiteId: id, website: name };
}

async function sectionFilter(
  sources: readonly Source[],
  website: string | undefined,
  section: string,
): Promise<Filter> {
  const site = website === undefined ? undefined : await findTarget(sources, website, "W");
  const isId = /^[0-9a-f]{40}$/i.test(section);
  const found = await findTarget(sources, site === undefined || isId ? section : `${site.name}/${section}`, "S");
  if (site !== undefined && found.website?.id !== site.id) {
    throw new UserError(`the section '${section}' belongs to ${found.website?.name}, not to ${site.name}`);
  }
  return {
    partition: found.source.partition,
    websiteId: found.website!.id,
    website: found.website!.name,
    sectionId: found.id,
    section: found.name,
  };
}
