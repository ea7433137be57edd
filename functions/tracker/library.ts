/** The tracker: what is registered, in reading order. */
import { callbacks as byName, libraryInfo } from "../runtime/library";
import { doneCommand, leadCommand } from "../runtime/ticks";
import { endCarry, getCarry, putCarry } from "./carry";
import { configureTracker, getTrackerConfig } from "./configuration";
import { getTrackerDelays } from "./delays";
import { getDocument } from "./document-json";
import { abandonEnrichment, enrichDocument, refreshDocuments } from "./enrichment";
import { expireDocuments } from "./expiry";
import { identifyName, identifyUrl } from "./identify";
import { forgetImport, getImport, importEvents } from "./import";
import { ingestEvents, trackEvents } from "./ingest";
import { getTrackerMemory } from "./memory";
import { countPg, countUd, getDevices } from "./queries";
import { rankPg } from "./ranking";
import { rotatePg, rotateUd } from "./rotation";
import { findDocuments } from "./search";
import { rangePg, rangeUd } from "./series";
import { getTrackerStatus } from "./status";

export const commands = [
  trackEvents,
  ingestEvents,
  importEvents,
  getImport,
  forgetImport,
  rotatePg,
  rotateUd,
  getCarry,
  putCarry,
  endCarry,
  countPg,
  countUd,
  getDevices,
  rankPg,
  rangePg,
  rangeUd,
  getDocument,
  findDocuments,
  enrichDocument,
  abandonEnrichment,
  refreshDocuments,
  expireDocuments,
  identifyUrl,
  identifyName,
  configureTracker,
  getTrackerConfig,
  getTrackerStatus,
  getTrackerDelays,
  getTrackerMemory,
  leadCommand("tracker_lead"),
  doneCommand("tracker_done"),
  libraryInfo("tracker_library"),
];
export const callbacks = byName(commands);
