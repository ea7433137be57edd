/** How much is measured: large enough for steady figures, or small enough for a quick look. */

export interface Sizes {
  /** Rounds that count; one more before them warms up. */
  rounds: number;
  /** Events of one run of counting. */
  events: number;
  websites: number;
  pages: number;
  devices: number;
  /** Events of a minute on a busy site, and on a quiet one; `events` are spread so. */
  busyMinute: number;
  quietMinute: number;
  /** Pages of a rotation. */
  rotatedPages: number;
  rotationRounds: number;
  /** Events of the 24 hours that are ranked. */
  rankedEvents: number;
  rankedCalls: number;
  /** Pages among which the memory of shared keys is divided. */
  memoryPages: number;
  /** Pages that are searched, and how often each question is asked. */
  searchedPages: number;
  searches: number;
  /** Scans of one run of the notifier, and the sellers they are of. */
  scans: number;
  sellers: number;
  /** Sellers that wait while a few of them are due. */
  waitingSellers: number;
  /** Queues of merge plans, and keys in all among which they are. */
  planQueues: number;
  planKeys: number;
  /** Single calls of one file each. */
  singleCalls: number;
  /** Files of the month of which an hour is asked for. */
  queriedFiles: number;
  /** Products of one vendor. */
  products: number;
  /** Files that are put into one plan. */
  planEntries: number;
  /** Tasks of one run of the catalogue's queue. */
  tasks: number;
}

const FULL: Sizes = {
  rounds: 7,
  events: 100_000,
  websites: 5,
  pages: 10_000,
  devices: 50_000,
  busyMinute: 100_000,
  quietMinute: 20_000,
  rotatedPages: 100_000,
  rotationRounds: 3,
  rankedEvents: 480_000,
  rankedCalls: 200,
  memoryPages: 100,
  searchedPages: 100_000,
  searches: 200,
  scans: 100_000,
  sellers: 10_000,
  waitingSellers: 1_000_000,
  planQueues: 10_000,
  planKeys: 1_000_000,
  singleCalls: 4_000,
  queriedFiles: 1_000_000,
  products: 20_000,
  planEntries: 8_000,
  tasks: 20_000,
};

const QUICK: Partial<Sizes> = {
  rounds: 3,
  events: 40_000,
  busyMinute: 40_000,
  quietMinute: 8_000,
  rotatedPages: 10_000,
  rankedEvents: 120_000,
  rankedCalls: 50,
  memoryPages: 25,
  searchedPages: 10_000,
  searches: 50,
  scans: 40_000,
  sellers: 4_000,
  waitingSellers: 100_000,
  planQueues: 2_000,
  planKeys: 100_000,
  singleCalls: 1_000,
  queriedFiles: 100_000,
  products: 8_000,
  planEntries: 2_000,
  tasks: 5_000,
};

/** Sizes of a full or a quick run. */
export function sizesOf(quick: boolean): Sizes {
  return quick ? { ...FULL, ...QUICK } : FULL;
}
