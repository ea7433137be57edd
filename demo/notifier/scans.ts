/** A day of sellers who bring packages, as a scanner at a counter would see it. */
import { seededRandom, type Random } from "../tracker/random";
import { HOUR_MS, MINUTE_MS } from "../../host/runtime/time";

/** One package, scanned. */
export interface Scan {
  seller: string;
  package: string;
  /** Simulated, unix milliseconds. */
  atMs: number;
}

const SELLERS = 20;
const OPENS_MS = 8 * HOUR_MS;
const CLOSES_MS = 18 * HOUR_MS;
/** A scanner reads one package in twenty a second time. */
const TWICE = 0.05;

/**
 * Makes the scans of a day: each seller comes one to three times with up to twenty packages, and now and then again with
 * more of them within the hour.
 *
 * @param dayMs its midnight, unix milliseconds
 * @param seed equal seeds give equal days
 * @returns in the order of time
 */
export function makeScans(dayMs: number, seed: number): Scan[] {
  const random = seededRandom(seed);
  const scans = Array.from({ length: SELLERS }, (_, at) => scansOf(String(1001 + at), dayMs, random)).flat();
  return scans.sort((a, b) => a.atMs - b.atMs);
}

function scansOf(seller: string, dayMs: number, random: Random): Scan[] {
  const scans: Scan[] = [];
  const visits = 1 + Math.floor(random() * 3);
  for (let visit = 0; visit < visits; visit += 1) {
    let atMs = dayMs + OPENS_MS + Math.floor(random() * (CLOSES_MS - OPENS_MS));
    const packages = 2 + Math.floor(random() * 19);
    for (let each = 0; each < packages; each += 1) {
      const scan = { seller, package: `${seller}-${visit + 1}${String(each + 1).padStart(2, "0")}`, atMs };
      scans.push(scan);
      if (random() < TWICE) scans.push({ ...scan, atMs: atMs + 3000 });
      // Most at once; sometimes the next box is fetched first.
      atMs += random() < 0.9 ? 5000 + Math.floor(random() * 20_000) : Math.floor(random() * 50 * MINUTE_MS);
    }
  }
  return scans;
}
