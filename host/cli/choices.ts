/** What arguments may be. The command line is made of it before a command is loaded, so this file imports nothing. */

export const METRICS = ["pg", "ud", "both"] as const;
export type SeriesMetric = (typeof METRICS)[number];

/** Of notifications. */
export const STATES = ["waiting", "leased", "dead"] as const;
export type State = (typeof STATES)[number];

export const TASK_STATES = ["held", "waiting", "leased", "waiting_children", "finished", "dead", "cancelled"] as const;
export type TaskState = (typeof TASK_STATES)[number];
