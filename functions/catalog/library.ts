/** The catalogue: what is registered, in reading order. */
import { callbacks as byName, libraryInfo } from "../runtime/library";
import { getHistory } from "./audit";
import { configureCatalog, getCatalogConfig } from "./configuration";
import { getLink, listLinks, markLink } from "./link-checks";
import { syncLinks } from "./links";
import { countProducts, recentProducts } from "./product-counts";
import { findProducts } from "./product-search";
import { getProduct, removeProduct, upsertProduct } from "./products";
import { getCatalogStatus } from "./status";
import { enqueueTask } from "./tasks/enqueue";
import { getTask, listTasks } from "./tasks/listing";
import { cancelTask, retryTask } from "./tasks/operating";
import { getQueueStatus, listQueues } from "./tasks/status";
import { defineTask, getTaskType, listTaskTypes } from "./tasks/types";
import { claimTask, extendTask, failTask, finishTask, releaseTask } from "./tasks/working";

export const commands = [
  upsertProduct,
  getProduct,
  removeProduct,
  findProducts,
  countProducts,
  recentProducts,
  getHistory,
  syncLinks,
  markLink,
  getLink,
  listLinks,
  configureCatalog,
  getCatalogConfig,
  getCatalogStatus,
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
