/**
 * hookedonhallmark_com: lists with a link to the next page; later years are divided, into one part with all of them or into
 * parts that overlap; a product is in elements with ids.
 */
import type { Availability, Stock, StockItem } from "../stock";
import { dollarsOf } from "../stock";
import { escapeHtml, layout, pageNumber, pageOf, slugOf, type Front, type ShopPage } from "./front";

const INDEX = "/keepsake-hallmark-ornaments-by-year.html";
const PAGE_SIZE = 20;
/** From here on a year's page shows parts, and no products. */
const DIVIDED_FROM = 1985;

const WORDS: Record<Availability, readonly string[]> = {
  "In Stock": ["In Stock.", "Usually ships in 2 to 3 days"],
  "Out of Stock": ["Sold Out", "Currently not in stock"],
  Preorder: ["Pre-Order: ships in July"],
  Backorder: ["Join our Waiting List"],
};

export const hookedOnHallmark: Front = {
  vendor: "hookedonhallmark_com",
  total: 6689,
  availabilities: ["In Stock", "Out of Stock", "Preorder", "Backorder"],
  robots: "User-agent: *\nDisallow: /view_cart.asp\n\nUser-agent: GreedyBot\nDisallow: /\n",
  versions: "both",
  path: (item) => `/${slugOf(item.name).toLowerCase()}-${item.number}.html`,
  page,
};

function page(url: URL, stock: Stock): ShopPage | undefined {
  if (url.pathname === INDEX) return { html: index(stock) };
  const [, year, part] = /^\/(\d{4})-hallmark-ornaments(?:-([a-z-]+))?\.html$/.exec(url.pathname) ?? [];
  if (year !== undefined) return yearPage(url, Number(year), part, stock);
  const item = stock.find(Number(/-(\d+)\.html$/.exec(url.pathname)?.[1]));
  return item && { html: product(item), changedAtMs: item.changedAtMs };
}

function yearPage(url: URL, year: number, part: string | undefined, stock: Stock): ShopPage | undefined {
  const items = stock.ofYear(year);
  if (items.length === 0) return undefined;
  if (part === undefined) return { html: year < DIVIDED_FROM ? list(url, items) : parts(year) };
  if (part === "view-all") return hasViewAll(year) ? { html: list(url, items) } : undefined;
  const middle = Math.floor(items.length / 2);
  // The one in the middle is in both.
  if (part === "series") return { html: list(url, items.slice(0, middle + 1)) };
  return part === "keepsake" ? { html: list(url, items.slice(middle)) } : undefined;
}

function hasViewAll(year: number): boolean {
  return year % 3 !== 0;
}

function index(stock: Stock): string {
  const entry = (year: number): string => {
    const name =
      year % 2 === 0 ? `<img src="/years/${year}.png" alt="${year} Hallmark Ornaments">` : `${year} Hallmark Ornaments`;
    return `<li><a href="/${year}-hallmark-ornaments.html"><span>${name}</span></a></li>`;
  };
  return layout("Hallmark Ornaments by Year", `<ul class="columns-5">${stock.years.map(entry).join("\n")}</ul>`);
}

function parts(year: number): string {
  const names = ["series", "keepsake", ...(hasViewAll(year) ? ["View-All"] : [])];
  const blocks = names.map(
    (name) =>
      `<div class="sub-categories"><a href="/${year}-hallmark-ornaments-${name.toLowerCase()}.html"><span>${name}</span></a></div>`,
  );
  return layout(`${year} Hallmark Ornaments`, blocks.join("\n"));
}

function list(url: URL, items: readonly StockItem[]): string {
  const number = pageNumber(url);
  const { items: shown, isLast } = pageOf(items, number, PAGE_SIZE);
  const blocks = shown.map((item) => {
    const href = hookedOnHallmark.path(item);
    return `<div class="product-item"><a href="${href}"><img src="/img/${item.number}.jpg" alt=""></a><div class="name"><a href="${href}">${escapeHtml(item.name)}</a></div></div>`;
  });
  const link = (page: number, text: string): string => `<a href="${url.pathname}?page=${page}">${text}</a>`;
  const links = [
    number > 1 ? link(number - 1, "&laquo; Previous") : "",
    link(number, String(number)),
    isLast ? "" : link(number + 1, "NEXT &raquo;"),
  ];
  return layout("Hallmark Ornaments", `${blocks.join("\n")}<div class="paging">${links.join(" ")}</div>`);
}

function product(item: StockItem): string {
  const words = WORDS[item.availability];
  return layout(
    item.name,
    `<form id="add" action="/add_cart.asp" method="post"><input type="hidden" name="item_id" value="${item.number}">
<div class="image"><img src="/img/${item.number}-large.jpg" alt=""></div>
<div class="row"><div class="side">Free shipping over $75.00</div><div class="main"><div><h1>${escapeHtml(item.name)}</h1></div>
<div>Part Number:&nbsp;<span id="product_id">${item.sku}</span></div>
<div class="price-box">Our Price: <span id="price">${dollarsOf(item.cents)}</span></div>
<div>Availability: <span id="availability">${words[item.number % words.length]}</span></div></div></div></form>`,
  );
}
