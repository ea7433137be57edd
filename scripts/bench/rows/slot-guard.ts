/** What a routed call pays on a cluster for not running while its slot is being moved: with the guard, and with its call cut out. */
import type { Bench } from "../bench";
import { COMPILED, withTwin, type LibraryName } from "../libraries";
import { interleave, rateOf, ratioOf, type Side } from "../measure";
import { encode } from "../pipeline";
import { perSecond, type Findings, type Group } from "../row";
import { makeEvents, makePages, oneOfEach, type Event } from "../traffic";
import { MINUTE_MS } from "../../../host/runtime/time";

const PARTITION = "{shard}";
const MOST = 1.02;
/** A hundredth is near the noise of a round. */
const ROUNDS_MORE = 8;
const WRITE_COMMANDS = 200;

/** One event a call, with a routing key. */
function callsOf(events: readonly Event[]): Buffer[] {
  const calls = events.map(({ url, device, timeMs }) =>
    encode(["FCALL", "track_events", 1, PARTITION, JSON.stringify({ url, uui: device, dt: timeMs })]),
  );
  const writes: Buffer[] = [];
  for (let at = 0; at < calls.length; at += WRITE_COMMANDS)
    writes.push(Buffer.concat(calls.slice(at, at + WRITE_COMMANDS)));
  return writes;
}

function sidesOf(node: Bench): Side[] {
  const { busyMinute, devices, events: count, pages: pageCount, websites } = node.sizes;
  const pages = makePages(pageCount, websites);
  const startMs = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS - Math.ceil(count / busyMinute) * MINUTE_MS;
  const warm = callsOf(oneOfEach(pages, startMs));
  const calls = callsOf(makeEvents(pages, { count, perMinute: busyMinute, devices, startMs }));
  const side = (label: string, libraries: readonly LibraryName[]): Side => ({
    label,
    libraries,
    prepare: async () => {
      await node.flush();
      await node.pipeline(warm);
    },
    run: () => node.pipeline(calls),
  });
  return [side("with", COMPILED), side("without", withTwin("tracker without the slot guard", "tracker"))];
}

async function run(bench: Bench): Promise<Findings> {
  const { events, rounds } = bench.sizes;
  const samples = await bench.onClusterNode((node) => interleave(node, sidesOf(node), rounds + ROUNDS_MORE));
  const ratio = ratioOf(samples, "with", "without");
  const price = 1 / ratio.cpu;
  return {
    rows: [
      {
        what: "track_events, one event a call, with a routing key on a node of a cluster",
        against: "the same without the guard against a slot that is being moved",
        ours: perSecond(rateOf(samples, "with", events), "events"),
        theirs: perSecond(rateOf(samples, "without", events), "events"),
        ratio,
        bound: { text: `price ≤ ${MOST} ×`, isHeld: price <= MOST },
      },
    ],
    notes: [
      `The guard against a slot that is being moved: price ${price.toFixed(3)} × by the server's processor time, median of ` +
        `${rounds + ROUNDS_MORE} alternating rounds of ${events} calls on one node; without it, the same library with its one call cut out.`,
    ],
  };
}

export const slotGuard: Group = { name: "slot-guard", run };
