/** Workers that do what the plans say: merge files, move them to the next layer, drop those that nobody needs any more. */
import { posix } from "node:path";
import type { IndexEntry } from "../../host/metadata/entries";
import type { DropPlan, MergePlan, MovePlan } from "../../host/metadata/plans";
import type { TableIndex } from "../../host/metadata/table-index";
import { HOT, WRITER, type DataFile } from "./files";
import type { Storage } from "./storage";

export const KINDS = ["merge of 15 s", "merge of 10 min", "move", "drop"] as const;
export type Kind = (typeof KINDS)[number];

const DROPPERS = 4;

/** Where a worker dies: with a plan in its hands, before it has written anything, or before it could say that it was done. */
export type Death = "before writing" | "before ending";

export interface PlanCounts {
  taken: number;
  ended: number;
  /** Taken for a second time, as the one who had it died. */
  cameBack: number;
  /** Done by one who died before saying so: nothing is left of their files, and the index ends them by itself. */
  leftDone: number;
}

export interface Site {
  index: TableIndex;
  storage: Storage;
  /** The worker that takes the next merge plan dies so; taken off once it has. */
  death: Death | undefined;
}

interface Plan {
  id: string;
}

/** The workers of a site, and what they have done. */
export class Workers {
  readonly counts: Record<Kind, PlanCounts>;
  /** Deaths so far. */
  deaths = 0;
  /** Files that were merged, each by its path. */
  readonly merged = new Map<string, number>();
  readonly #seen = new Set<string>();

  constructor(private readonly site: Site) {
    this.counts = Object.fromEntries(
      KINDS.map((kind) => [kind, { taken: 0, ended: 0, cameBack: 0, leftDone: 0 }]),
    ) as Record<Kind, PlanCounts>;
  }

  /** Works off all that is due. */
  async work(): Promise<void> {
    const { index } = this.site;
    for (const [at, kind] of [KINDS[0], KINDS[1]].entries()) {
      await this.#workOff(
        kind,
        () => index.getMergePlan({ layer: HOT, writerId: WRITER, iteration: at + 1 }),
        (plan) => this.#merge(plan),
        (plan) => index.endMerge(plan),
      );
    }
    await this.#workOff(
      "move",
      () => index.getMovePlan({ layer: HOT, writerId: WRITER }),
      (plan) => this.#move(plan),
      (plan) => index.endMove(plan),
    );
    // The most there is to do, and nothing to be read for it: several at once.
    const dropOne = (): Promise<void> =>
      this.#workOff(
        "drop",
        () => index.getDropPlan({ layer: HOT, writerId: WRITER }),
        (plan) => this.#drop(plan),
        (plan) => index.endDrop(plan),
      );
    await Promise.all(Array.from({ length: DROPPERS }, dropOne));
  }

  async #workOff<P extends Plan>(
    kind: Kind,
    take: () => Promise<P | null>,
    carryOut: (plan: P) => Promise<void>,
    end: (plan: P) => Promise<boolean>,
  ): Promise<void> {
    const counts = this.counts[kind];
    for (let plan = await take(); plan !== null; plan = await take()) {
      counts.taken += 1;
      if (this.#seen.has(plan.id)) counts.cameBack += 1;
      this.#seen.add(plan.id);
      const death = kind === KINDS[0] ? this.site.death : undefined;
      if (death !== undefined) {
        this.site.death = undefined;
        this.deaths += 1;
        if (death === "before ending") counts.leftDone += 1;
      }
      if (death !== "before writing") await carryOut(plan);
      if (death === undefined && (await end(plan))) counts.ended += 1;
    }
  }

  /** Merges those of the sources that the index still has: none, where another has merged them and died before it ended the plan. */
  async #merge({ from, to, layer, writerId, iteration }: MergePlan): Promise<void> {
    const { index, storage } = this.site;
    const wanted = new Set(from);
    const sources: IndexEntry[] = [];
    // A call or two for the folder, in place of one for each source.
    for await (const entry of index.query({ folder: posix.dirname(to), iteration })) {
      if (wanted.has(entry.path)) sources.push(entry);
    }
    if (sources.length === 0) return;
    for (const { path } of sources) {
      if (storage.get(layer, path) === undefined) throw new Error(`the index has ${path}, and the storage does not`);
      this.merged.set(path, (this.merged.get(path) ?? 0) + 1);
    }
    const merged = mergeOf(sources, { path: to, layer, writerId });
    storage.put(merged);
    await index.batch([merged], sources);
  }

  async #move({ pathFrom, layerFrom, pathTo, layerTo }: MovePlan): Promise<void> {
    const { index, storage } = this.site;
    const file = storage.get(layerFrom, pathFrom);
    const entry = await index.get(pathFrom);
    if (file === undefined || entry === null) return;
    const moved = { ...file, path: pathTo, layer: layerTo };
    storage.put(moved);
    await index.batch([moved], [entry]);
  }

  #drop({ layer, path }: DropPlan): Promise<void> {
    this.site.storage.remove(layer, path);
    return Promise.resolve();
  }
}

/** What becomes of some files: as old as the oldest of them, so that its layer keeps it no longer. */
function mergeOf(
  sources: readonly IndexEntry[],
  { path, layer, writerId }: Pick<DataFile, "path" | "layer" | "writerId">,
): DataFile {
  const sum = (of: (entry: IndexEntry) => number): number => sources.reduce((total, entry) => total + of(entry), 0);
  return {
    ...{ path, layer, writerId },
    sizeBytes: sum((entry) => entry.sizeBytes),
    rowCount: sum((entry) => entry.rowCount),
    minTime: least(sources.map((entry) => entry.minTime)),
    maxTime: greatest(sources.map((entry) => entry.maxTime)),
    chunkTime: least(sources.map((entry) => entry.chunkTime)),
    min: { span_id: least(sources.map((entry) => entry.min["span_id"] as bigint)) },
    max: { span_id: greatest(sources.map((entry) => entry.max["span_id"] as bigint)) },
  };
}

/** Of bigints, and of those that were small enough to be read as numbers. */
export function least<T extends bigint | number>(values: readonly T[]): T {
  return values.reduce((a, b) => (b < a ? b : a));
}

export function greatest<T extends bigint | number>(values: readonly T[]): T {
  return values.reduce((a, b) => (b > a ? b : a));
}
