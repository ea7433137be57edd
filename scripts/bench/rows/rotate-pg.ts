/** Rotation of page views: records a second, and what other clients wait meanwhile. */
import type { Bench } from "../bench";
import { interleave, rateOf, ratioOf, type Side } from "../measure";
import { describeWaits } from "../ping";
import { COMPILED, withTwin, type LibraryName } from "../libraries";
import { encode } from "../pipeline";
import { milliseconds, perSecond, type Findings, type Group } from "../row";
import { restore, save } from "../saved";
import { requireRotated, rotationData, viewsCommands, type RotationData } from "./rotation-data";
import { inSequence, requireTwin } from "./rotation-runs";

const DEFAULT_LIMIT = 50;

function side(bench: Bench, label: string, name: string, libraries: readonly LibraryName[], data: RotationData): Side {
  const { ids, minutes, startMs } = data;
  const count = Math.ceil((ids.length * minutes.length) / DEFAULT_LIMIT) + 1;
  const calls = Array.from({ length: count }, () => encode(["FCALL", name, 0, "TIER", "5MINUTES"]));
  return {
    label,
    libraries,
    prepare: () => restore(bench),
    run: async () => {
      const ms = await bench.pipeline(calls);
      await requireRotated(bench, name, `SS:5MINUTES.OPEN:P::${startMs}:PG`, ids.length);
      return ms;
    },
  };
}

async function run(bench: Bench): Promise<Findings> {
  const { rotatedPages: pages, rotationRounds } = bench.sizes;
  await requireTwin(bench, "rotate_pg", viewsCommands);
  await bench.flush();
  const data = rotationData(pages);
  const records = pages * data.minutes.length;
  await bench.pipeline(viewsCommands(data));
  await save(bench);
  const sides = [
    side(bench, "ours", "rotate_pg", COMPILED, data),
    side(bench, "twin", "twin_rotate_pg", withTwin("rotation twin", "tracker"), data),
  ];
  const samples = await interleave(bench, sides, rotationRounds);
  const { wallMs, calls, waits } = await inSequence(bench, "rotate_pg");
  const what = `rotate_pg, ${pages} pages of 5 minutes`;
  return {
    rows: [
      {
        what: `${what}, compiled`,
        against: "the same by hand in Lua",
        ours: perSecond(rateOf(samples, "ours", records), "records"),
        theirs: perSecond(rateOf(samples, "twin", records), "records"),
        ratio: ratioOf(samples, "ours", "twin"),
        target: 0.95,
      },
      {
        what: `${what}, calls in sequence: PING p99.9 of another client`,
        against: "",
        ours: milliseconds(waits.p999),
        theirs: "",
      },
    ],
    notes: [
      `rotate_pg in sequence: ${calls} calls of the default LIMIT (${DEFAULT_LIMIT}), ${milliseconds(wallMs / calls)} a call, ` +
        `${perSecond((1000 * records) / wallMs, "records")} (page and minute); PING meanwhile ${describeWaits(waits)}.`,
    ],
  };
}

export const rotationOfViews: Group = { name: "rotate-pg", run };
