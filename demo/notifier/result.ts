/** What came of the day, checked against what was scanned. */
import type { Check } from "../checks";
import type { TopicStatus } from "../../host/notifier/metrics";
import type { DaySummary } from "./day";
import type { DemoReceiver, Manner } from "./receiver";
import type { Scan } from "./scans";
import { HOUR_MS } from "../../host/runtime/time";

const QUIET_MS = HOUR_MS;

export interface Message {
  id: string;
  atMs: number;
  packages: number;
  /** Requests that it took until it was taken. */
  requests: number;
  afterLastScanMs: number;
}

/** A seller's day. */
export interface SellerDay {
  seller: string;
  /** Times of scans, unix milliseconds. */
  scans: number[];
  messages: Message[];
  /** Times of requests that came to nothing, as far as the host could tell. */
  failures: number[];
}

export interface DayResult {
  server: string;
  fromMs: number;
  toMs: number;
  sellers: SellerDay[];
  scans: number;
  packages: number;
  /** Requests by what the receiver did with them. */
  manners: { manner: Manner; requests: number }[];
  /** Messages that came again under the same id, and were dropped. */
  repeats: number;
  /** Notifications that a host had claimed when it died. */
  abandoned: number;
  checks: Check[];
  elapsedMs: number;
}

export interface Evidence {
  server: string;
  scans: readonly Scan[];
  receiver: DemoReceiver;
  summary: DaySummary;
  status: TopicStatus;
  dayMs: number;
}

/** Sums up the day. */
export function resultOf(evidence: Evidence): DayResult {
  const { server, scans, receiver, summary } = evidence;
  const { arrivals } = receiver;
  const sellers = [...new Set(scans.map(({ seller }) => seller))].sort().map((seller) => sellerDay(seller, evidence));
  return {
    server,
    fromMs: scans[0]!.atMs,
    toMs: Math.max(...arrivals.map(({ atMs }) => atMs)),
    sellers,
    scans: scans.length,
    packages: new Set(scans.map((scan) => scan.package)).size,
    manners: countManners(arrivals.map(({ manner }) => manner)),
    repeats: arrivals.filter(({ manner, isNew }) => manner.startsWith("takes") && !isNew).length,
    abandoned: summary.abandoned,
    checks: checksOf(evidence, sellers),
    elapsedMs: Math.round(summary.elapsedMs),
  };
}

function sellerDay(seller: string, { scans, receiver }: Evidence): SellerDay {
  const own = scans.filter((scan) => scan.seller === seller);
  const arrivals = receiver.arrivals.filter((arrival) => arrival.seller === seller);
  const messages = arrivals
    .filter(({ isNew }) => isNew)
    .map(({ id, atMs, packages }) => {
      const last = Math.max(...own.filter((scan) => packages.includes(scan.package)).map((scan) => scan.atMs));
      const requests =
        1 + arrivals.filter((arrival) => arrival.id === id && !arrival.manner.startsWith("takes")).length;
      return { id, atMs, packages: packages.length, requests, afterLastScanMs: atMs - last };
    });
  const failures = arrivals.filter(({ manner }) => manner !== "takes it").map(({ atMs }) => atMs);
  return { seller, scans: own.map(({ atMs }) => atMs), messages, failures };
}

function countManners(manners: readonly Manner[]): DayResult["manners"] {
  const counts = new Map<Manner, number>();
  for (const manner of manners) counts.set(manner, (counts.get(manner) ?? 0) + 1);
  return [...counts].map(([manner, requests]) => ({ manner, requests })).sort((a, b) => b.requests - a.requests);
}

function checksOf({ scans, receiver, status }: Evidence, sellers: readonly SellerDay[]): Check[] {
  const { arrivals } = receiver;
  const taken = arrivals.filter(({ isNew }) => isNew).flatMap(({ packages }) => packages);
  const messages = sellers.flatMap((seller) => seller.messages);
  const left = status.collecting + status.waiting + status.leased + status.dead + status.unread;
  return [
    {
      name: "packages that were scanned, and arrived",
      expected: new Set(scans.map((scan) => scan.package)).size,
      counted: new Set(taken).size,
    },
    { name: "packages that arrived in two messages", expected: 0, counted: taken.length - new Set(taken).size },
    { name: "messages that Redis took as delivered", expected: status.delivered, counted: messages.length },
    {
      name: "messages before an hour of quiet",
      expected: 0,
      counted: messages.filter(({ afterLastScanMs }) => afterLastScanMs < QUIET_MS).length,
    },
    { name: "requests with the right signature", expected: arrivals.length, counted: receiver.verified() },
    { name: "notifications left over", expected: 0, counted: left },
  ];
}
