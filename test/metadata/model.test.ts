/*
 * The index against a plain model: any batches in both forms, plans taken, ended late, twice or never, by a clock that goes on.
 * After each step every file, count and list is as the model has it. HOTPATH_RUNS multiplies the number of runs.
 */
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { IndexModel, type Configuration, type Plan } from "../support/metadata-model";
import { entryOf, NOON, ns, SECOND, useMetadata } from "../support/metadata";
import { fcallKeyed } from "../support/functions";

const RUNS = 60 * Number(process.env["HOTPATH_RUNS"] ?? 1);
const STEPS = 40;

const metadata = useMetadata();
beforeEach(() => metadata.server.flush());

/** Of a hot file the first iteration merges, as it does so before it moves, and the second moves. */
const CONFIGURATION: Configuration = {
  merge: [
    [10, 100, 1],
    [1000, 250, 2],
  ],
  layers: {
    "": { ttl_sec: 0, layer_to: "" },
    hot: { ttl_sec: 100, layer_to: "cold" },
    cold: { ttl_sec: 0, layer_to: "" },
    last: { ttl_sec: 50, layer_to: "" },
  },
};
const MERGE = JSON.stringify(CONFIGURATION.merge);
const LAYERS = JSON.stringify(CONFIGURATION.layers);

const layerArb = fc.constantFrom("", "hot", "hot", "cold", "last");
const writerArb = fc.constantFrom("", "w", "a:b");
const pathArb = fc
  .record({
    folder: fc.constantFrom("date=2024-01-15/hour=11", "date=2024-01-15/hour=12", "date=2024-01-16"),
    name: fc.constantFrom("a", "b", "c", 'q"\\é'),
    iteration: fc.constantFrom(0, 1, 1, 1, 2, 3),
  })
  .map(({ folder, name, iteration }) => `${folder}/${name}.${iteration}.parquet`);
const entryArb = fc
  .record({
    cmd: fc.constantFrom("ADD", "ADD", "DELETE"),
    path: pathArb,
    layer: layerArb,
    writer: writerArb,
    size: fc.constantFrom(0, 1, 40, 50, 100, 101),
    chunkS: fc.nat(200),
    bare: fc.boolean(),
  })
  .map(({ cmd, path, layer, writer, size, chunkS, bare }) => {
    // A DELETE may name its file alone.
    if (cmd === "DELETE" && bare) return JSON.stringify({ cmd, path, database: "d", table: "t" });
    const entry = entryOf({
      cmd: cmd,
      path,
      layer,
      writer_id: writer,
      size_bytes: size,
      str_chunk_time: ns(NOON + chunkS * SECOND, 999),
    });
    return bare ? JSON.stringify(entry, undefined, 1) : JSON.stringify(entry);
  });
const kindArb = fc.constantFrom("merge", "merge", "move", "drop");

const stepArb = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("patch"),
      entries: fc.array(entryArb, { minLength: 1, maxLength: 12, size: "max" }),
      isOld: fc.constant(false),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("patch"),
      entries: fc.array(entryArb, { maxLength: 12, size: "max" }),
      isOld: fc.constant(true),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("take"),
      kind: kindArb,
      iteration: fc.constantFrom(1, 1, 2),
      layer: layerArb,
      writer: writerArb,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("end"), at: fc.nat(100), repeats: fc.integer({ min: 1, max: 2 }) }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("go on"), s: fc.constantFrom(1, 10, 30, 100, 1800) }) },
);
type Step = typeof stepArb extends fc.Arbitrary<infer T> ? T : never;
type StepOf<D extends string> = Extract<Step, { do: D }>;

interface Json {
  id: string;
  time_s: number;
  size?: number;
  paths?: string[];
  path_from?: string;
  path?: string;
  from?: string[];
}

const pathsOf = ({ paths, path_from: moved, path }: Json): string[] => paths ?? [moved ?? path!];

/** A server and its model side by side. */
class Session {
  readonly model = new IndexModel(CONFIGURATION);
  /** Behind the server's clock, so that plans of GigAPI's form are never due. */
  nowS = NOON / SECOND;
  readonly #given: { kind: string; id: string }[] = [];

  async do(step: Step): Promise<void> {
    if (step.do === "patch") await this.#patch(step);
    else if (step.do === "take") await this.#take(step);
    else if (step.do === "end") await this.#end(step);
    else this.nowS += step.s;
  }

  async #patch({ entries, isOld }: StepOf<"patch">): Promise<void> {
    const reply = isOld
      ? await fcallKeyed(metadata.client, [MERGE, LAYERS], "patch_index", [...entries, ""])
      : await metadata.call("patch_index", "d", "t", ...entries, "NOW", this.nowS * SECOND + 999);
    expect(reply).toBe(entries.length);
    for (const each of entries) this.model.patch(each, isOld ? undefined : this.nowS);
  }

  async #take({ kind, iteration, layer, writer }: StepOf<"take">): Promise<void> {
    const now = ["NOW", this.nowS * SECOND];
    const args = kind === "merge" ? ["d", "t", iteration, layer, writer, ...now] : ["d", "t", layer, writer, ...now];
    const taken = await metadata.json<Json>(`get_${kind}_plan`, ...args);
    const folder = kind === "merge" ? `:${iteration}:[^:]*` : "";
    const pattern = new RegExp(`^${kind}:d:t${folder}:${layer}:${writer}$`);
    const due = this.model.due(pattern, this.nowS);
    // A call ends the plans without files of the queues that it comes to, which are not all.
    for (const name of [...this.model.out.keys()].filter((each) => pattern.test(each))) {
      const list = await metadata.client.lRange(`${name}:processing`, 0, -1);
      this.model.endEmptied(name, new Set(list.map((text) => (JSON.parse(text) as Json).id)), this.nowS);
    }
    if (taken === null) return expect(due.map(({ name }) => name)).toEqual([]);
    const found = due.find(({ plan }) => plan.id === taken.id);
    expect(found, `given out, but not due: ${JSON.stringify(taken)}`).toBeDefined();
    expect(taken.from ?? pathsOf(taken)).toEqual(found!.left);
    this.model.take(found!.name, found!.plan, found!.left, this.nowS);
    this.#given.push({ kind, id: taken.id });
  }

  async #end({ at, repeats }: StepOf<"end">): Promise<void> {
    const given = this.#given[at % Math.max(this.#given.length, 1)];
    if (given === undefined) return;
    for (let call = 0; call < repeats; call += 1) {
      const message = await metadata.refusal(`end_${given.kind}`, "d", "t", given.id);
      expect(message?.split(" ")[0]).toBe(this.model.end(given.kind, given.id) ? undefined : "NOTFOUND");
    }
  }

  /** Files, counts and lists are those of the model, and there is no other key of GigAPI's. */
  async compare(): Promise<void> {
    const keys = (await metadata.client.keys("*")).filter((key) => /^(files|folders|merge|move|drop):/.test(key));
    const { model } = this;
    const lists = [
      ...[...model.waiting].map(([name, plans]) => [`${name}:idle`, plans] as const),
      ...[...model.out].map(([name, plans]) => [`${name}:processing`, plans] as const),
    ];
    const files = new Map<string, Record<string, string>>();
    for (const [path, { text }] of model.files) {
      const key = `files:d:t:${path.split("/")[0]!}`;
      files.set(key, { ...files.get(key), [path]: text });
    }
    const folders = model.folders();
    const expected = [
      ...files.keys(),
      ...(files.size > 0 ? ["folders:d:t"] : []),
      ...lists.filter(([, plans]) => plans.length > 0).map(([name]) => name),
    ];
    expect(keys.sort()).toEqual(expected.sort());
    for (const [key, content] of files) expect({ ...(await metadata.client.hGetAll(key)) }).toEqual(content);
    expect({ ...(await metadata.client.hGetAll("folders:d:t")) }).toEqual(folders);
    for (const [name, plans] of lists) await this.#compareList(name, plans);
  }

  async #compareList(name: string, plans: Plan[]): Promise<void> {
    const found = (await metadata.client.lRange(name, 0, -1)).map((text) => JSON.parse(text) as Json);
    plans.forEach((plan, at) => (plan.id ??= found[at]?.id));
    const seen = found.map((json, at) => [
      json.id,
      pathsOf(json),
      json.size ?? 0,
      plans[at]?.timeS === undefined ? undefined : json.time_s,
    ]);
    expect(seen, name).toEqual(plans.map(({ id, paths, size, timeS }) => [id, paths, size, timeS]));
    for (const [at, plan] of plans.entries()) plan.timeS ??= found[at]!.time_s;
  }
}

describe("any history", () => {
  it("is as the model has it, at any moment, and no id is given twice", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(stepArb, { minLength: 1, maxLength: STEPS, size: "max" }), async (steps) => {
        await metadata.server.flush();
        await metadata.call("configure_table", "d", "t", "MERGE", MERGE, "LAYERS", LAYERS);
        const session = new Session();
        for (const step of steps) {
          await session.do(step);
          await session.compare();
        }
        const plans = [...session.model.waiting.values(), ...session.model.out.values()].flat();
        expect(new Set(plans.map(({ id }) => id)).size).toBe(plans.length);
      }),
      { numRuns: RUNS },
    );
  }, 600_000);
});
