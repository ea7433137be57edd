/**
 * Which addresses may be connected to. Tracked addresses come from outside: whoever can send an event could have the host
 * fetch what only the host can reach (server-side request forgery).
 *
 * The check is part of the connection's own look-up, so that what was checked is what is connected to; a name that
 * resolves differently a moment later gains nothing.
 */
import { lookup as lookUpName, type LookupAddress, type LookupAllOptions, type LookupOptions } from "node:dns";
import type { LookupFunction } from "node:net";
import ipaddr from "ipaddr.js";
import { PageFailure } from "./failure";

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Range = [Address, number];

/** Looks a name up, as `dns.lookup` with all addresses. */
export type Resolve = (
  name: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/** All of IPv6 that is routed globally (RFC 4291, section 2.4); ipaddr.js calls some of the rest unicast too. */
const GLOBAL_IPV6 = ipaddr.IPv6.parseCIDR("2000::/3");

/** Answers requests of virtual machines of a cloud about themselves, and is not in a reserved range. */
const PUBLIC_METADATA = ["168.63.129.16"];

/**
 * Reads a range: `10.1.0.0/16`, `fd00::/8`, or one address.
 *
 * @throws Error that says what is wrong
 */
export function parseRange(text: string): Range {
  try {
    if (text.includes("/")) return ipaddr.parseCIDR(text);
    if (!text.includes(":") && !ipaddr.IPv4.isValidFourPartDecimal(text)) throw new Error();
    const address = ipaddr.parse(text);
    return [address, address.kind() === "ipv4" ? 32 : 128];
  } catch {
    throw new Error(`'${text}' is no address range such as 10.1.0.0/16`);
  }
}

export class AddressPolicy {
  readonly #allowed: Range[];

  /**
   * @param allow ranges that are reached in spite of the rules
   * @param resolve how names are looked up
   */
  constructor(
    allow: readonly string[] = [],
    private readonly resolve: Resolve = lookUpName,
  ) {
    this.#allowed = allow.map(parseRange);
  }

  /**
   * The kind of address that is not to be connected to, in the terms of RFC 6890 and ipaddr.js; undefined if it may be.
   * Only plain global addresses may: IPv4 inside IPv6 (mapped, NAT64, 6to4, Teredo) would be a way round the rules.
   */
  refusal(text: string): string | undefined {
    const address = ipaddr.parse(text.replace(/%.*$/s, ""));
    if (this.#allowed.some(([range, bits]) => range.kind() === address.kind() && address.match(range, bits))) {
      return undefined;
    }
    if (PUBLIC_METADATA.includes(address.toString())) return "metadata";
    const range = address.range();
    if (range !== "unicast") return range;
    return address.kind() === "ipv6" && !address.match(GLOBAL_IPV6) ? "reserved" : undefined;
  }

  /**
   * Fails if a URL's host is an address that is refused; names are checked by {@link lookup}.
   *
   * @param hostname as in a URL, with brackets around IPv6
   */
  checkLiteral(hostname: string): void {
    const address = hostname.replace(/^\[|\]$/g, "");
    if (!ipaddr.isValid(address)) return;
    const range = this.refusal(address);
    if (range !== undefined) throw refused(hostname, [`${address} (${range})`]);
  }

  /** The look-up of connections: answers those addresses of a name that may be connected to. */
  readonly lookup: LookupFunction = (name, options: LookupOptions, callback) => {
    this.resolve(name, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, []);
      const usable = found.filter(({ address }) => this.refusal(address) === undefined);
      if (usable.length === 0) {
        const named = found.map(({ address }) => `${address} (${this.refusal(address)})`);
        return callback(refused(name, named), []);
      }
      if (options.all) callback(null, usable);
      else callback(null, usable[0]!.address, usable[0]!.family);
    });
  };
}

function refused(host: string, addresses: string[]): PageFailure {
  return new PageFailure(
    "address",
    `${host} is at ${addresses.join(", ") || "no address"}, which is not to be fetched from`,
  );
}
