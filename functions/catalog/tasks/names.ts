/** The keys of tasks, by purpose; every one is built by the key module. */
import { currentPartition, key } from "../../runtime/keys";

/** Settings of task types: type → JSON. */
export function types(): string {
  return key("H", "TASKS.TYPES", "", "", "", "");
}

/** Names of the queues that have had a task. */
export function queues(): string {
  return key("S", "TASKS.QUEUES", "", "", "", "");
}

/** Numbers: the last serial and how many leases were given, and for each queue how many tasks were enqueued and ended how. */
export function counters(): string {
  return key("H", "TASKS", "", "", "", "");
}

/** Tasks of a queue by state. */
export function tasks(
  queue: string,
  state: "READY" | "LEASED" | "DEAD" | "HELD" | "JOINING" | "FINISHED" | "CANCELLED",
): string {
  return key("SS", `TASKS.${state}`, "", queue, "", "");
}

/** What stands before the id in the name of a task's hash; `END` stands after it. */
export function taskStart(): string {
  return `H:TASK::${currentPartition()}`;
}

export const END = "::";
