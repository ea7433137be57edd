/** What `hotpath run` can do. Apart from `run.ts`, which the command line loads only to run one. */
export const JOBS = [
  "ingest",
  "rotate",
  "rotate-pg",
  "rotate-ud",
  "enrich",
  "refresh",
  "expire",
  "notify",
  "catalog",
] as const;
export type Job = (typeof JOBS)[number];
