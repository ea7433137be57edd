/** The configurations of the three vendors, led to shops on loopback. */
import hallmarkOrnaments from "../../config/vendors/hallmark_ornaments_com.json";
import hookedOnHallmark from "../../config/vendors/hookedonhallmark_com.json";
import ornamentShop from "../../config/vendors/ornament_shop_com.json";
import { parseVendor, type VendorConfig } from "../../host/catalog/vendor-config";
import type { Shop } from "./shop";

const SETTINGS: Record<string, { years: object }> = {
  hallmark_ornaments_com: hallmarkOrnaments,
  hookedonhallmark_com: hookedOnHallmark,
  ornament_shop_com: ornamentShop,
};

/** Nobody is in a hurry with a shop of one's own, and nobody is bothered either. */
const LOOPBACK = { allow: ["127.0.0.0/8"], requestsPerSecond: 1000, concurrency: 8, backoffSeconds: 0.05 };

/**
 * The settings of a vendor, as they would stand in a file.
 *
 * @param shop its address and years take the place of the real ones; the rules stay as they are
 * @param settings that are to be others as well
 */
export function loopbackSettings(shop: Shop, settings: object = {}): object {
  const shared = SETTINGS[shop.vendor]!;
  const years = shop.stock.years;
  const own = { site: shop.origin, years: { ...shared.years, from: Math.min(...years), to: Math.max(...years) } };
  return { ...shared, ...LOOPBACK, ...own, ...settings };
}

/** The same, read. */
export function loopbackVendor(shop: Shop, settings: object = {}): VendorConfig {
  return parseVendor(shop.vendor, loopbackSettings(shop, settings));
}
