/** ornament_shop_com: cards with a link to the next page; a product is in JSON-LD, and in a list of terms where that is missing. */
import type { Availability, Stock, StockItem } from "../stock";
import { amountOf, dollarsOf } from "../stock";
import { escapeHtml, layout, pageNumber, pageOf, scriptJson, slugOf, type Front, type ShopPage } from "./front";

const INDEX = "/hallmark-ornaments-by-year.html";
const PAGE_SIZE = 12;
/** Every so many products' pages are of an older kind. */
const OLD_EVERY = 7;

const SCHEMA: Record<Availability, string> = {
  "In Stock": "https://schema.org/InStock",
  "Out of Stock": "https://schema.org/OutOfStock",
  Preorder: "https://schema.org/PreOrder",
  Backorder: "https://schema.org/BackOrder",
};

export const ornamentShop: Front = {
  vendor: "ornament_shop_com",
  total: 4120,
  availabilities: ["In Stock", "Out of Stock", "Preorder", "Backorder"],
  robots: "User-agent: *\nDisallow: /cart.php\nDisallow: /account.php\n",
  versions: "last-modified",
  path: (item) => `/${slugOf(item.name).toLowerCase()}-${item.number}/`,
  page,
};

function page(url: URL, stock: Stock): ShopPage | undefined {
  if (url.pathname === INDEX) return { html: index(url, stock) };
  const year = /^\/(\d{4})-hallmark-ornaments\.html$/.exec(url.pathname)?.[1];
  if (year !== undefined)
    return stock.ofYear(Number(year)).length === 0 ? undefined : { html: list(url, stock.ofYear(Number(year))) };
  const item = stock.find(Number(/-(\d+)\/$/.exec(url.pathname)?.[1]));
  return item && { html: product(url, item), changedAtMs: item.changedAtMs };
}

function index({ origin }: URL, stock: Stock): string {
  const entries = stock.years.map(
    (year) =>
      `<li class="navList-item"><a class="navList-action" href="${origin}/${year}-hallmark-ornaments.html">${year}</a></li>`,
  );
  const other = `<li class="navList-item"><a class="navList-action" href="${origin}/shipping-returns/">Shipping</a></li>`;
  return layout("Hallmark Ornaments by Year", `<ul class="navList">${entries.join("\n")}${other}</ul>`);
}

function list(url: URL, items: readonly StockItem[]): string {
  const number = pageNumber(url);
  const { items: shown, isLast } = pageOf(items, number, PAGE_SIZE);
  const cards = shown.map((item) => {
    const href = `${url.origin}${ornamentShop.path(item)}`;
    return `<li class="product"><article class="card"><figure class="card-figure"><a href="${href}"><img src="/i/${item.number}.jpg" alt=""></a></figure>
<div class="card-body"><h4 class="card-title"><a href="${href}">${escapeHtml(item.name)}</a></h4><div class="card-text">${dollarsOf(item.cents)}</div></div></article></li>`;
  });
  const next = isLast
    ? ""
    : `<li class="pagination-item pagination-item--next"><a class="pagination-link" href="${url.origin}${url.pathname}?page=${number + 1}">Next</a></li>`;
  return layout(
    "Hallmark Ornaments",
    `<ul class="productGrid">${cards.join("\n")}</ul><ul class="pagination-list">${next}</ul>`,
  );
}

function product({ origin }: URL, item: StockItem): string {
  const isOld = item.number % OLD_EVERY === 0;
  const head = isOld ? "" : `<script type="application/ld+json">${scriptJson(linkedData(origin, item))}</script>`;
  return layout(item.name, isOld ? terms(item) : `<h1 class="productView-title">${escapeHtml(item.name)}</h1>`, head);
}

/** Names in it are written as in HTML, as many shops do. */
function linkedData(origin: string, item: StockItem): object {
  const offer = {
    "@type": "Offer",
    priceCurrency: "USD",
    price: amountOf(item.cents),
    availability: SCHEMA[item.availability],
  };
  const breadcrumbs = {
    "@type": "BreadcrumbList",
    itemListElement: [{ "@type": "ListItem", position: 1, name: "Home", item: origin }],
  };
  const described = {
    "@type": "Product",
    name: escapeHtml(item.name),
    sku: item.sku,
    brand: { "@type": "Brand", name: "Hallmark" },
    offers: [offer],
  };
  return { "@context": "https://schema.org", "@graph": [breadcrumbs, described] };
}

const WORDS: Record<Availability, string> = {
  "In Stock": "In stock",
  "Out of Stock": "Sold out",
  Preorder: "Pre-order",
  Backorder: "On back order",
};

function terms(item: StockItem): string {
  const term = (name: string, value: string): string => `<dt class="productView-info-name">${name}:</dt>${value}`;
  return `<section class="productView-details"><h1 class="productView-title">${escapeHtml(item.name)}</h1>
<h2 class="productView-brand"><a href="/brands/hallmark/"><span>Hallmark</span></a></h2>
<div class="productView-price"><span data-product-price-without-tax>${dollarsOf(item.cents)}</span></div><dl class="productView-info">
${term("SKU", `<dd class="productView-info-value" data-product-sku>${item.sku}</dd>`)}
${term("Condition", '<dd class="productView-info-value">New</dd>')}
${term("Availability", `<dd class="productView-info-value">${WORDS[item.availability]}</dd>`)}</dl></section>`;
}
