/** How queues are doing. */
import { clock } from "../../runtime/clock";
import { command, integerReply, list, NOW, nullable, record, textReply } from "../../runtime/declare";
import { countReady, firstReadyMs } from "../../runtime/priority";
import { firstTime } from "../../runtime/queue";
import { fields, onKey } from "../../runtime/types";
import * as names from "./names";
import { QUEUE, requireTaskQueue, taskQueue } from "./queues";
import { numberOf } from "./records";

/** The earlier of two times, of which each may be none. */
function earlier(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.min(a, b);
}

export const getQueueStatus = command(
  {
    name: "get_queue_status",
    summary: "How many tasks of a queue are in each state, and how many have ended how",
    role: "reader",
    flags: ["no-writes"],
    positional: [QUEUE],
    options: [NOW],
    reply: record([
      { name: "queue", type: textReply, doc: "name" },
      { name: "ready", type: integerReply, doc: "tasks that may go out" },
      { name: "delayed", type: integerReply, doc: "tasks that wait for their time or their back-off" },
      { name: "leased", type: integerReply, doc: "tasks that are out" },
      { name: "held", type: integerReply, doc: "tasks whose PRE hooks have not finished" },
      { name: "waiting_children", type: integerReply, doc: "tasks whose own work is done, but not their children's" },
      { name: "dead", type: integerReply, doc: "tasks that were given up" },
      { name: "finished", type: integerReply, doc: "finished tasks that are kept" },
      { name: "cancelled", type: integerReply, doc: "cancelled tasks that are kept" },
      { name: "total_enqueued", type: integerReply, doc: "tasks ever enqueued, hooks included" },
      { name: "total_finished", type: integerReply, doc: "tasks that ever finished" },
      { name: "total_dead", type: integerReply, doc: "how often a task was given up" },
      { name: "total_cancelled", type: integerReply, doc: "tasks that were ever cancelled" },
      {
        name: "lag_ms",
        type: integerReply,
        unit: "ms",
        doc: "for how long the one that waits longest could have gone out",
      },
      {
        name: "next",
        type: nullable(integerReply),
        unit: "unix_ms",
        doc: "when there is something to claim, unix ms; nil if nothing waits",
      },
    ]),
    errors: ["BADARG", "CONFLICT"],
  },
  (args) => {
    const nowMs = clock(args.now);
    const queue = taskQueue(args.queue);
    requireTaskQueue(queue);
    const { totals } = queue;
    const counters = fields(queue.counters, [totals.enqueued, totals.finished, totals.dead, totals.cancelled]);
    const ready = countReady(queue, nowMs);
    const firstMs = firstReadyMs(queue);
    return {
      queue: queue.name,
      ready,
      delayed: redis.call("ZCARD", queue.ready) - ready,
      leased: redis.call("ZCARD", queue.leased),
      held: redis.call("ZCARD", queue.held),
      waiting_children: redis.call("ZCARD", queue.joining),
      dead: redis.call("ZCARD", queue.dead),
      finished: redis.call("ZCARD", queue.finished),
      cancelled: redis.call("ZCARD", queue.cancelled),
      total_enqueued: numberOf(counters[0]),
      total_finished: numberOf(counters[1]),
      total_dead: numberOf(counters[2]),
      total_cancelled: numberOf(counters[3]),
      lag_ms: firstMs === undefined ? 0 : Math.max(nowMs - firstMs, 0),
      next: earlier(firstMs, firstTime(queue.leased)),
    };
  },
);

export const listQueues = command(
  {
    name: "list_queues",
    summary: "Names of the queues that have had a task",
    role: "reader",
    flags: ["no-writes"],
    positional: [],
    options: [],
    reply: list(textReply),
    errors: ["BADARG", "CONFLICT"],
    answer: { doc: "names" },
  },
  () => {
    const found = onKey("SMEMBERS", names.queues());
    table.sort(found);
    return found;
  },
);
