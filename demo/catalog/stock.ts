/** What a made-up shop has: products made from a seed, and how they change. */
import { createHash } from "node:crypto";
import { seededRandom, type Random } from "../tracker/random";
import { DAY_MS } from "../../host/runtime/time";

export type Availability = "In Stock" | "Out of Stock" | "Preorder" | "Backorder";

export interface StockItem {
  /** From 1, in the order of years. */
  number: number;
  sku: string;
  name: string;
  year: number;
  cents: number;
  availability: Availability;
  /** Unix milliseconds, whole seconds, as Last-Modified has it. */
  changedAtMs: number;
}

export interface StockOptions {
  vendor: string;
  seed: number;
  /** Products of each year. */
  counts: ReadonlyMap<number, number>;
  /** What the shop knows to say of its stock, most frequent first. */
  availabilities: readonly Availability[];
  nowMs: number;
}

/** One change of one product. */
export interface StockChange {
  item: StockItem;
  field: "price" | "availability";
  old: string;
  new: string;
}

const FIGURES = [
  "Santa",
  "Snowman",
  "Rocking Horse",
  "Angel",
  "Drummer Boy",
  "Nutcracker",
  "Reindeer",
  "Carousel",
  "Locomotive",
  "Étoile de Noël",
  "Teddy & Friends",
  "Mother & Child",
  "“Ho Ho Ho” Mug",
  "Owl's Nest",
  "Toboggan",
];
const STYLES = [
  "Felt",
  "Glass",
  "Yarn",
  "Porcelain",
  "Tin",
  "Wooden",
  "Brass",
  "Crystal",
  "Nostalgic",
  "Tiny <Mini>",
  "Magic",
  "Frosted",
];
const EXTRAS = ["", "", "", " Ornament Set", " - Limited Edition", " (Repaint)", " in Moonlight"];

export class Stock {
  readonly vendor: string;
  readonly items: StockItem[] = [];
  readonly #random: Random;
  readonly #availabilities: readonly Availability[];
  readonly #byNumber = new Map<number, StockItem>();
  readonly #byYear = new Map<number, StockItem[]>();

  constructor({ vendor, seed, counts, availabilities, nowMs }: StockOptions) {
    this.vendor = vendor;
    this.#random = seededRandom(hash(`${vendor}/${seed}`));
    this.#availabilities = availabilities;
    const changedAtMs = wholeSecond(nowMs - DAY_MS);
    for (const [year, count] of counts) {
      for (let at = 1; at <= count; at += 1) this.#add(year, at, changedAtMs);
    }
  }

  get years(): number[] {
    return [...this.#byYear.keys()];
  }

  ofYear(year: number): readonly StockItem[] {
    return this.#byYear.get(year) ?? [];
  }

  find(number: number): StockItem | undefined {
    return this.#byNumber.get(number);
  }

  /**
   * Changes price or availability of some products.
   *
   * @param share of all of them, 0 to 1; at least one changes
   */
  change(share: number, nowMs: number): StockChange[] {
    return this.#some(share).map((item) => {
      const change = this.#random() < 0.6 ? this.#reprice(item) : this.#restock(item);
      item.changedAtMs = wholeSecond(Math.max(nowMs, item.changedAtMs + 1000));
      return change;
    });
  }

  /** Takes some products out of the shop. */
  withdraw(share: number): StockItem[] {
    const gone = this.#some(share);
    for (const item of gone) {
      this.#byNumber.delete(item.number);
      this.items.splice(this.items.indexOf(item), 1);
      const year = this.#byYear.get(item.year)!;
      year.splice(year.indexOf(item), 1);
    }
    return gone;
  }

  #add(year: number, at: number, changedAtMs: number): void {
    const number = this.items.length + 1;
    const name = `${year} ${this.#pick(STYLES)} ${this.#pick(FIGURES)}${this.#pick(EXTRAS)} #${at}`;
    const sku = `QX${year % 100}${String(number).padStart(5, "0")}`;
    const item = { number, sku, name, year, cents: this.#price(), availability: this.#availability(), changedAtMs };
    this.items.push(item);
    this.#byNumber.set(number, item);
    this.#byYear.set(year, [...this.ofYear(year), item]);
  }

  #reprice(item: StockItem): StockChange {
    const old = item.cents;
    while (item.cents === old) item.cents = this.#price();
    return { item, field: "price", old: amountOf(old), new: amountOf(item.cents) };
  }

  #restock(item: StockItem): StockChange {
    const old = item.availability;
    while (item.availability === old) item.availability = this.#pick(this.#availabilities);
    return { item, field: "availability", old, new: item.availability };
  }

  /** Most are cheap; one in two hundred is what collectors look for. */
  #price(): number {
    if (this.#random() < 0.005) return 100_000 + Math.floor(this.#random() * 150_000);
    return 295 + Math.floor(this.#random() * 180) * 50 + (this.#random() < 0.5 ? 3 : 0);
  }

  #availability(): Availability {
    return this.#random() < 0.7 ? this.#availabilities[0]! : this.#pick(this.#availabilities);
  }

  #some(share: number): StockItem[] {
    const left = [...this.items];
    const count = Math.min(left.length, Math.max(1, Math.round(left.length * share)));
    return Array.from({ length: count }, () => left.splice(Math.floor(this.#random() * left.length), 1)[0]!);
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)]!;
  }
}

/** `3.98` */
export function amountOf(cents: number): string {
  return (cents / 100).toFixed(2);
}

/** `$1,299.00` */
export function dollarsOf(cents: number): string {
  const [whole = "", rest] = amountOf(cents).split(".");
  return `$${whole.replace(/\B(?=(\d{3})+$)/g, ",")}.${rest}`;
}

/** A number for a text, the same in every run. */
export function hash(text: string): number {
  return createHash("sha1").update(text).digest().readInt32BE(0);
}

function wholeSecond(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}
