/** hallmark_ornaments_com: all of a year on one page with `viewall=1`; a product is a literal in a script. */
import type { Stock, StockItem } from "../stock";
import { dollarsOf } from "../stock";
import { escapeHtml, layout, pageNumber, pageOf, scriptJson, slugOf, type Front, type ShopPage } from "./front";

const INDEX = "/Hallmark-Ornaments-By-Year_c_200.html";
/** Without `viewall=1`. */
const PAGE_SIZE = 24;

export const hallmarkOrnaments: Front = {
  vendor: "hallmark_ornaments_com",
  total: 10_270,
  availabilities: ["In Stock", "Out of Stock"],
  robots: "User-agent: *\nDisallow: /view_cart.asp\nDisallow: /search.asp\n",
  versions: "etag",
  path: (item) => `/${slugOf(item.name)}_p_${item.number}.html`,
  page,
};

function page(url: URL, stock: Stock): ShopPage | undefined {
  if (url.pathname === INDEX) return { html: index(stock) };
  const year = /^\/(\d{4})-Hallmark-Ornaments_c_\d+\.html$/.exec(url.pathname)?.[1];
  if (year !== undefined)
    return stock.ofYear(Number(year)).length === 0 ? undefined : { html: list(url, stock.ofYear(Number(year))) };
  const item = stock.find(Number(/_p_(\d+)\.html$/.exec(url.pathname)?.[1]));
  return item && { html: product(item), changedAtMs: item.changedAtMs };
}

function index(stock: Stock): string {
  const years = stock.years.map(
    (year) =>
      `<a class="subcat" href="/${year}-Hallmark-Ornaments_c_${year - 1772}.html"><span>${year} Hallmark Ornaments</span></a>`,
  );
  const others = ["Club", "Miniature", "Series"].map(
    (name, at) =>
      `<a class="subcat" href="/Hallmark-${name}-Ornaments_c_${90 + at}.html"><span>${name} Ornaments</span></a>`,
  );
  return layout("Hallmark Ornaments By Year", `<div id="subcategoriesBlock">${[...years, ...others].join("\n")}</div>`);
}

function list(url: URL, items: readonly StockItem[]): string {
  const shown = url.searchParams.get("viewall") === "1" ? items : pageOf(items, pageNumber(url), PAGE_SIZE).items;
  const blocks = shown.map((item) => {
    const href = hallmarkOrnaments.path(item);
    return `<div class="product-item"><div class="img"><a href="${href}"><img src="/thumb/${item.number}.jpg" alt=""></a>
<div class="quickview"><a href="/quickview.asp?catalogid=${item.number}">Quick View</a></div></div>
<div class="name"><a href="${href}">${escapeHtml(item.name)}</a></div><div class="price">${dollarsOf(item.cents)}</div></div>`;
  });
  const count = `<div class="product-count">Items per page: all Items ${items.length}</div>`;
  return layout(
    "Hallmark Ornaments",
    `<div id="productCategoryBlock">${count}<div class="product-items">${blocks.join("\n")}</div></div>`,
  );
}

function product(item: StockItem): string {
  const literal = {
    catalogid: item.number,
    id: item.sku,
    name: item.name,
    price: item.cents / 100,
    availability: item.availability === "In Stock" ? 1 : 0,
    currency: "USD",
  };
  const head = `<script>var _3d_cart = {"items":[]};</script><script>var _3d_item = ${scriptJson(literal)};\nvar _3d_theme = {"id":5};</script>`;
  return layout(item.name, `<h1>${escapeHtml(item.name)}</h1><p>From our own collection.</p>`, head);
}
