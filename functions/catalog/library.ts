/** The catalogue: what is registered, in reading order. */
import { callbacks as byName, libraryInfo } from "../runtime/library";
import { enqueueTask } from "./tasks/enqueue";
import { getTask, listTasks } from "./tasks/listing";
import { cancelTask, retryTask } from "./tasks/operating";
import { getQueueStatus, listQueues } from "./tasks/status";
import { defineTask, getTaskType, listTaskTypes } from "./tasks/types";
import { claimTask, extendTask, failTask, finishTask, releaseTask } from "./tasks/working";

export const commands = [
  enqueueTask,
  claimTask,
  extendTask,
  finishTask,
  failTask,
  releaseTask,
  cancelTask,
  retryTask,
  getTask,
  listTasks,
  getQueueStatus,
  listQueues,
  defineTask,
  getTaskType,
  listTaskTypes,
  libraryInfo("catalog_library"),
];
export const callbacks = byName(commands);
