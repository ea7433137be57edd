/** Which website, section and page an address belongs to. */
import { MAX_URL_BYTES } from "./events";
import * as names from "./names";
import { bareHost, parseAddress, sectionName } from "./url";

export interface Identity {
  websiteId: string;
  /** Lower case. */
  websiteName: string;
  sectionId: string;
  sectionName: string;
  pageId: string;
  /** Host, port and path: what `pageId` is the hash of. */
  page: string;
  path: string;
}

/**
 * Identities of addresses seen lately. An identity follows from the address and the options alone, so keeping it from one
 * call to the next changes no result; it saves the parsing and three SHA-1 for each event of a busy page.
 */
let known = new LuaMap<string, Identity>();
let knownBytes = 0;

/** The options that `known` was made under. */
let knownNaming: Naming | undefined;

/** Beyond this many bytes of addresses, `known` is begun anew; with its identities it is then about 3 MB. */
const MAX_KNOWN_BYTES = 262144;

/** How websites are named: the option UNKNOWN, and a fingerprint of the table of hosts, empty where there is none. */
export interface Naming {
  unknown: string;
  hosts: string;
}

function forget(): void {
  known = new LuaMap();
  knownBytes = 0;
}

/** To be called once in a call, before `identify`. */
export function useNaming(naming: Naming): void {
  if (naming === knownNaming) return;
  if (knownNaming?.unknown !== naming.unknown || knownNaming.hosts !== naming.hosts) forget();
  knownNaming = naming;
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

/** An identity, or the reason why there is none. */
type Found = LuaMultiReturn<[identity: Identity | undefined, reason: "url" | "website" | undefined]>;

function resolve(url: string, naming: Naming): Found {
  const [host, port, path] = parseAddress(url);
  if (host === undefined) return $multi(undefined, "url");
  const websiteName = websiteOf(host, port, naming);
  if (websiteName === "") return $multi(undefined, "website");
  const section = sectionName(path);
  const page = host + port + path;
  const identity = {
    websiteId: idOfWebsite(websiteName),
    websiteName,
    sectionId: idOfSection(websiteName, section),
    sectionName: section,
    pageId: redis.sha1hex(page),
    page,
    path,
  };
  return $multi(identity, undefined);
}

/** An address without query and fragment. */
function withoutQuery(url: string): string {
  const [query] = string.find(url, "?", 1, true);
  const address = query === undefined ? url : string.sub(url, 1, query - 1);
  const [fragment] = string.find(address, "#", 1, true);
  return fragment === undefined ? address : string.sub(address, 1, fragment - 1);
}

/** The identity of the address of an event, or the reason why the event is refused. */
export function identify(url: unknown, naming: Naming): Found {
  if (type(url) !== "string" || (url as string).length > MAX_URL_BYTES) return $multi(undefined, "url");
  let found = known.get(url as string);
  if (found !== undefined) return $multi(found, undefined);
  const address = withoutQuery(url as string);
  found = known.get(address);
  if (found !== undefined) return $multi(found, undefined);
  const [identity, reason] = resolve(address, naming);
  if (identity === undefined) return $multi(undefined, reason);
  knownBytes += address.length;
  if (knownBytes > MAX_KNOWN_BYTES) forget();
  known.set(address, identity);
  return $multi(identity, undefined);
}

/** The id of an audio, video or podcast of a website. */
export function mediaId(identity: Identity, given: string): string {
  return redis.sha1hex(`${identity.websiteName}/${given}`);
}
