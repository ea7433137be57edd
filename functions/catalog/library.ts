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
  libraryInfo("catalog_library"),
];
export const callbacks = byName(commands);
