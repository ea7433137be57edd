/** What functions and hosts both know: each fact has its home in functions/, and the contract takes it to the host. */
import { commands as catalog } from "../../functions/catalog/library";
import { commands as metadata } from "../../functions/metadata/library";
import { commands as notifier } from "../../functions/notifier/library";
import { commands as tracker } from "../../functions/tracker/library";
import { ROLES, type Command } from "../../functions/runtime/declare";
import * as hostKeys from "../../functions/runtime/host-keys";
import { MAX_DEVICE_BYTES, MAX_URL_BYTES, REASONS } from "../../functions/tracker/events";
import * as names from "../../functions/tracker/names";
import { MAX_POINTS } from "../../functions/tracker/series";
import { MADE_TIERS, MAX_AGE_MS, MAX_AHEAD_MS, TIERS } from "../../functions/tracker/windows";
import { camel } from "./names";

/** A constant of the contract. */
export interface Fact {
  name: string;
  doc: string;
  value: readonly unknown[] | Readonly<Record<string, unknown>>;
  /** The type of one of them, by the constant. */
  type?: { name: string; text: string };
}

const all: readonly Command[] = [...tracker, ...notifier, ...metadata, ...catalog];

function declarationOf(functionName: string): Command["declaration"] {
  const found = all.find(({ declaration }) => declaration.name === functionName);
  if (!found) throw new Error(`the contract asks for ${functionName}, which is not declared`);
  return found.declaration;
}

/** The words of an argument that takes one of some. */
function choices(functionName: string, argument: string): readonly string[] {
  const { positional, options } = declarationOf(functionName);
  const values = [...positional, ...options].find(({ name }) => name === argument)?.type.values;
  if (!values) throw new Error(`the contract asks for the words of ${argument} of ${functionName}, which has none`);
  return values;
}

/** Least and most of all options of a function that are whole numbers. */
function bounds(functionName: string): [name: string, bounds: Record<string, readonly [number, number]>] {
  const numbers = declarationOf(functionName).options.filter(({ type }) => type.kind === "integer");
  return [
    camel(functionName),
    Object.fromEntries(numbers.map(({ name, type }) => [camel(name), [type.min!, type.max!]])),
  ];
}

/** Functions with options that a configuration sets. */
const BOUNDED = [
  "configure_tracker",
  "ingest_events",
  "rotate_pg",
  "rotate_ud",
  "rank_pg",
  "tracker_lead",
  "configure_topic",
  "ingest_scans",
  "configure_catalog",
  "define_task",
];

const member = (name: string): string => `(typeof ${name})[number]`;

/** All facts, in the order of the contract. */
export function findFacts(libraries: readonly string[]): Fact[] {
  const media: readonly string[] = names.MEDIA_DIMENSIONS;
  return [
    {
      name: "LIBRARIES",
      doc: "The libraries.",
      value: libraries,
      type: { name: "LibraryName", text: member("LIBRARIES") },
    },
    {
      name: "ROLES",
      doc: "Who may call a function.",
      value: ROLES,
      type: { name: "Role", text: member("ROLES") },
    },
    {
      name: "TIERS",
      doc: "Windows by tier, finest first: how long one is, and how long it is kept after its end, in ms.",
      value: Object.fromEntries(TIERS.map(({ name, lengthMs, keepMs }) => [name, { lengthMs, keepMs }])),
      type: { name: "Tier", text: "keyof typeof TIERS" },
    },
    {
      name: "MADE_TIERS",
      doc: "The tiers that rotation makes, finest first.",
      value: MADE_TIERS,
      type: { name: "MadeTier", text: member("MADE_TIERS") },
    },
    {
      name: "DOCUMENTED_DIMENSIONS",
      doc: "The dimensions that have documents: website, section, page.",
      value: names.DIMENSIONS.filter((each) => !media.includes(each)),
      type: { name: "DocumentedDimension", text: member("DOCUMENTED_DIMENSIONS") },
    },
    {
      name: "MEDIA_DIMENSIONS",
      doc: "The dimensions that only some events have: audio, video, podcast.",
      value: media,
      type: { name: "Dimension", text: `DocumentedDimension | ${member("MEDIA_DIMENSIONS")}` },
    },
    {
      name: "REFUSAL_REASONS",
      doc: "Why the tracker refuses an event, as its counters are named.",
      value: Object.keys(REASONS),
      type: { name: "RefusalReason", text: member("REFUSAL_REASONS") },
    },
    {
      name: "MEMORY_PARTS",
      doc: "The parts that `get_tracker_memory` measures.",
      value: choices("get_tracker_memory", "part"),
      type: { name: "MemoryPart", text: member("MEMORY_PARTS") },
    },
    {
      name: "UNKNOWN_HOSTS",
      doc: "What the tracker does with an event whose host is not in its table.",
      value: choices("configure_tracker", "UNKNOWN"),
    },
    {
      name: "LIMITS",
      doc: "Upper limits of events and of calls.",
      value: {
        urlBytes: MAX_URL_BYTES,
        deviceBytes: MAX_DEVICE_BYTES,
        eventAgeMs: MAX_AGE_MS,
        eventAheadMs: MAX_AHEAD_MS,
        eventsPerCall: declarationOf("track_events").rest!.max,
        pointsPerCall: MAX_POINTS,
        entriesPerCall: declarationOf("patch_index").rest!.max,
      },
    },
    {
      name: "BOUNDS",
      doc: "Least and most of options that are whole numbers, by function.",
      value: Object.fromEntries(BOUNDED.map(bounds)),
    },
    {
      name: "KEYS",
      doc: "Keys that a host names itself, outside of partitions.",
      value: {
        events: names.eventStream(),
        announcements: names.enrichmentStream(),
        courier: hostKeys.courier(),
        deploy: hostKeys.deploy(),
      },
    },
  ];
}
