/** Which website, section and page an address belongs to. */
import { MAX_URL_BYTES } from "./events";
import * as names from "./names";
import { bareHost, directoryPath, parseAddress, sectionName } from "./url";

/** What all pages of a section have in common. */
export interface Section {
  id: string;
  name: string;
  /** The directories that the name was made of, as they stand in the address. */
  path: string;
  websiteId: string;
  /** Lower case. */
  websiteName: string;
}

/** How websites are named: the option UNKNOWN, and a fingerprint of the table of hosts, empty where there is none. */
export interface Naming {
  unknown: string;
  hosts: string;
}

/** What was found out of addresses. */
interface Memory {
  pageIds: LuaMap<string, string>;
  sections: LuaMap<string, Section>;
  /** The same sections by host, port and directories: pages share them, else most of the memory were copies of a few. */
  byPlace: LuaMap<string, Section>;
  /** Bytes of addresses. */
  size: number;
}

function newMemory(): Memory {
  return { pageIds: new LuaMap(), sections: new LuaMap(), byPlace: new LuaMap(), size: 0 };
}

/**
 * Addresses seen lately. What is known of one follows from it and the options alone, so keeping it from one call to the next
 * changes no result; it saves the parsing and three SHA-1 for each event of a busy page. Two tables take turns: when the
 * recent one is full, it becomes the former one, and what is still asked for is carried over.
 */
let recent = newMemory();
let former = newMemory();

/** The options that the memories were made under. */
let knownNaming: Naming | undefined;

/** Most bytes of addresses in one memory: some 8,000 addresses, with what belongs to them 2 MB. */
const MAX_MEMORY_BYTES = 393216;

/** To be called once in a call, before `identify`. */
export function useNaming(naming: Naming): void {
  if (naming === knownNaming) return;
  if (knownNaming?.unknown !== naming.unknown || knownNaming.hosts !== naming.hosts) {
    recent = newMemory();
    former = newMemory();
  }
  knownNaming = naming;
}

function remember(address: string, pageId: string, section: Section): void {
  recent.size += address.length;
  if (recent.size > MAX_MEMORY_BYTES) {
    former = recent;
    recent = newMemory();
    recent.size = address.length;
  }
  recent.pageIds.set(address, pageId);
  recent.sections.set(address, section);
}

/** The name of the website that a host belongs to; empty where it is refused. */
function websiteOf(host: string, port: string, naming: Naming): string {
  if (naming.hosts !== "") {
    const [withPort, withoutPort] = redis.call("HMGET", names.hosts(), host + port, host);
    if (withPort !== undefined && withPort !== false) return withPort;
    if (withoutPort !== undefined && withoutPort !== false) return withoutPort;
  }
  if (naming.unknown === "host") return bareHost(host);
  return naming.unknown === "other" ? "other" : "";
}

/** The id of a website by its name, lower case. */
export function idOfWebsite(name: string): string {
  return redis.sha1hex(name);
}

/** The id of a section by its name and that of its website, lower case: equal names on two websites are two sections. */
export function idOfSection(websiteName: string, name: string): string {
  return redis.sha1hex(`${websiteName}/${name}`);
}

/** The page and the section of an address, or the reason why there are none. */
type Found = LuaMultiReturn<
  [pageId: string | undefined, section: Section | undefined, reason: "url" | "website" | undefined]
>;

function newSection(host: string, port: string, path: string, naming: Naming): Section | undefined {
  const websiteName = websiteOf(host, port, naming);
  if (websiteName === "") return undefined;
  const name = sectionName(path);
  return { id: idOfSection(websiteName, name), name, path, websiteId: idOfWebsite(websiteName), websiteName };
}

/** The section at a place, undefined if its host is refused. */
function sectionAt(host: string, port: string, path: string, naming: Naming): Section | undefined {
  const place = host + port + path;
  const known = recent.byPlace.get(place);
  if (known !== undefined) return known;
  const section = former.byPlace.get(place) ?? newSection(host, port, path, naming);
  if (section === undefined) return undefined;
  recent.byPlace.set(place, section);
  recent.size += place.length;
  return section;
}

function resolve(address: string, naming: Naming): Found {
  const [host, port, path] = parseAddress(address);
  if (host === undefined) return $multi(undefined, undefined, "url");
  const section = sectionAt(host, port, directoryPath(path), naming);
  if (section === undefined) return $multi(undefined, undefined, "website");
  return $multi(redis.sha1hex(host + port + path), section, undefined);
}

/** An address without query and fragment. */
function withoutQuery(url: string): string {
  const [query] = string.find(url, "?", 1, true);
  const address = query === undefined ? url : string.sub(url, 1, query - 1);
  const [fragment] = string.find(address, "#", 1, true);
  return fragment === undefined ? address : string.sub(address, 1, fragment - 1);
}

/** An address that is not in the recent memory. */
function identifyAnew(url: unknown, naming: Naming): Found {
  if (type(url) !== "string" || (url as string).length > MAX_URL_BYTES) return $multi(undefined, undefined, "url");
  const address = withoutQuery(url as string);
  const pageId = recent.pageIds.get(address);
  if (pageId !== undefined) return $multi(pageId, recent.sections.get(address), undefined);
  const formerId = former.pageIds.get(address);
  if (formerId !== undefined) {
    const section = former.sections.get(address)!;
    remember(address, formerId, section);
    return $multi(formerId, section, undefined);
  }
  const [newId, section, reason] = resolve(address, naming);
  if (newId !== undefined) remember(address, newId, section!);
  return $multi(newId, section, reason);
}

/**
 * The page and the section of the address of an event, or the reason why the event is refused.
 *
 * @param url what the event says; anything but an address is refused
 */
export function identify(url: unknown, naming: Naming): Found {
  const pageId = recent.pageIds.get(url as string);
  if (pageId !== undefined) return $multi(pageId, recent.sections.get(url as string), undefined);
  return identifyAnew(url, naming);
}

/** Host, port and path of an address that was identified: what the page's id is the hash of. */
export function pageOf(url: string): string {
  const [host, port, path] = parseAddress(withoutQuery(url));
  return `${host}${port}${path}`;
}

/** The id of an audio, video or podcast of a website. */
export function mediaId(websiteName: string, given: string): string {
  return redis.sha1hex(`${websiteName}/${given}`);
}
