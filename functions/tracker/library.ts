/** The tracker: what is registered, in reading order. */
import { callbacks as byName, libraryInfo } from "../runtime/library";
import { doneCommand, leadCommand } from "../runtime/ticks";
import { configureTracker, getTrackerConfig } from "./configuration";
import { getTrackerDelays } from "./delays";
import { getDocument } from "./documents";
import { identifyName, identifyUrl } from "./identify";
import { ingestEvents, trackEvents } from "./ingest";
import { getTrackerMemory } from "./memory";
import { countPg, countUd } from "./queries";
import { rankPg } from "./ranking";
import { rotatePg, rotateUd } from "./rotation";
import { rangePg, rangeUd } from "./series";
import { getTrackerStatus } from "./status";

export const commands = [
  trackEvents,
  ingestEvents,
  rotatePg,
  rotateUd,
  countPg,
  countUd,
  rankPg,
  rangePg,
  rangeUd,
  getDocument,
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
