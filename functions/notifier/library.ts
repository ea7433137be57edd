/** The notifier: what is registered, in reading order. */
import { callbacks as byName, libraryInfo } from "../runtime/library";
import { ackNotification, claimNotifications, failNotification, retryNotification } from "./delivery";
import { listNotifications } from "./listing";
import { ingestScans, scanItem } from "./scans";
import { getNotifierStatus } from "./status";
import { configureTopic, getTopic, listTopics } from "./topics";

export const commands = [
  scanItem,
  ingestScans,
  claimNotifications,
  ackNotification,
  failNotification,
  listNotifications,
  retryNotification,
  configureTopic,
  getTopic,
  listTopics,
  getNotifierStatus,
  libraryInfo("notifier_library"),
];
export const callbacks = byName(commands);
