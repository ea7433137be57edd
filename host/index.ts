/** The package as a library: `import { connect, TableIndex } from "hotpath"`. */
export { functionsOf, type ClientOptions } from "./deploy/client";
export { connect, type Connection, type Primary, type RoutedOptions } from "./redis/connection";
export type { HotpathFunctions } from "./contract";
export { deploy, type DeployOptions, type DeployReport, type LibraryAction } from "./deploy/deploy";
export { HotpathError, ReplyError, SlotMovingError, UnavailableError, UsageError, UserError } from "./runtime/errors";
export { trackEventsInChunks, type TrackResult } from "./tracker/events";
export { createFunctions, type FunctionsOptions, type Send } from "./redis/functions";
export { readBundle, type BundledLibrary } from "./deploy/libraries";
export { BatchError } from "./metadata/batch";
export type { Layer, MergeStep, TableConfiguration } from "./metadata/configuration";
export { DatabaseIndex, type Folder, type RebuildProgress } from "./metadata/database-index";
export { parseExact, stringifyExact, type ExactValue } from "./metadata/exact-json";
export type { ColumnValues, IndexEntry, NewEntry, RemovedEntry, TableName } from "./metadata/entries";
export { dateOf, formatNanoseconds, nanosecondsOf, parseNanoseconds } from "./metadata/nanoseconds";
export type { DropPlan, MergePlan, MovePlan } from "./metadata/plans";
export type { QueueStatus, TableStatus } from "./metadata/status";
export { TableIndex, type QueryOptions, type Queue, type TableIndexOptions } from "./metadata/table-index";
export { VERSION } from "./runtime/version";
