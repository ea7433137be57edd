/** find_documents over many pages: server time of a call for each filter, and what the indexes take in memory. */
import type { Bench } from "../bench";
import { encode } from "../pipeline";
import { bytes, milliseconds, type Findings, type Group, type Row } from "../row";
import { sha1 } from "../traffic";
import { DAY_MS, HOUR_MS } from "../../../host/runtime/time";

const EVENTS_A_CALL = 500;
const WEBSITES = 5;
const SECTIONS = 60;
const TITLE_WORDS = 8;

interface Corpus {
  pages: number;
  nowMs: number;
}

interface BenchPage {
  url: string;
  title: string;
}

/** Pages in sections of two directories, every other one a directory deeper; titles of eight words, rare and common ones. */
function pageAt(at: number): BenchPage {
  const section = at % SECTIONS;
  const deep = at % 2 === 0 ? "a/" : "";
  const words = [
    `w${at % 10_007}`,
    `w${(at * 7) % 5_003}`,
    `w${(at * 13) % 997}`,
    `m${at % 200}`,
    `m${(at * 3) % 101}`,
    `c${at % 20}`,
    at % 2 === 0 ? "even" : "odd",
    "und",
  ];
  return {
    url: `www.site${at % WEBSITES}.example/s${section % 10}/t${section}/${deep}${at}.html`,
    title: words.slice(0, TITLE_WORDS).join(" "),
  };
}

/** Every page visited once, in no order, within a day. */
async function visitAll(bench: Bench, { pages, nowMs }: Corpus): Promise<void> {
  for (let from = 0; from < pages; from += EVENTS_A_CALL) {
    const events = Array.from({ length: Math.min(EVENTS_A_CALL, pages - from) }, (_, index) => {
      const at = from + index;
      return JSON.stringify({ url: `http://${pageAt(at).url}`, uui: "d", dt: nowMs - ((at * 7_919_333) % DAY_MS) });
    });
    await bench.call("FCALL", "track_events", 0, ...events, "NOW", nowMs);
  }
}

async function enrichAll(bench: Bench, { pages, nowMs }: Corpus): Promise<void> {
  const commands = Array.from({ length: pages }, (_, at) => {
    const { url, title } = pageAt(at);
    return encode(["FCALL", "enrich_document", 0, "P", sha1(url), JSON.stringify({ title }), "NOW", nowMs]);
  });
  await bench.pipeline(commands);
}

interface Question {
  what: string;
  options: (string | number)[];
}

function questionsOf({ nowMs }: Corpus): Question[] {
  const hour = ["VISITED", nowMs - HOUR_MS, nowMs];
  return [
    { what: "no filter", options: [] },
    { what: "no filter, OFFSET of nine tenths", options: ["OFFSET", 90_000] },
    { what: "WEBSITE", options: ["WEBSITE", "site1.example"] },
    { what: "SECTION, on one website", options: ["SECTION", "s1/t1", "WEBSITE", "site1.example"] },
    { what: "SECTION, prefix of six sections", options: ["SECTION", "s1/*"] },
    { what: "SECTION, prefix of all sixty", options: ["SECTION", "s*"] },
    { what: "LEVEL 2, one section", options: ["LEVEL", 2, "t7"] },
    { what: "LEVEL 3, half of all pages", options: ["LEVEL", 3, "a"] },
    { what: "URL, a fifth of all pages", options: ["URL", "www.site1.example/"] },
    { what: "URL, one section", options: ["URL", "www.site1.example/s1/t1/"] },
    { what: "TITLE, a rare word", options: ["TITLE", "w9"] },
    { what: "TITLE, a word of one page in 67", options: ["TITLE", "m7"] },
    { what: "TITLE, a word of every other page", options: ["TITLE", "even"] },
    { what: "VISITED, an hour", options: hour },
    { what: "VISITED and WEBSITE", options: [...hour, "WEBSITE", "site1.example"] },
    {
      what: "TITLE of one page in 67, WEBSITE, VISITED",
      options: ["TITLE", "m7", "WEBSITE", "site1.example", "VISITED", nowMs - DAY_MS, nowMs],
    },
    { what: "worst: TITLE and LEVEL 3, each half of all, none in both", options: ["TITLE", "odd", "LEVEL", 3, "a"] },
    { what: "worst: TITLE and SECTION of six, each broad, none in both", options: ["TITLE", "c2", "SECTION", "s1/*"] },
    { what: "worst: TITLE and URL, each broad, none in both", options: ["TITLE", "c2", "URL", "www.site1.example/"] },
  ];
}

/** The last visits of ids must not go up, and the first page of an answer must hold what its total says. */
function requireSound(what: string, reply: unknown): { total: number | null; ids: number } {
  const [total, ...ids] = reply as [number | null, ...string[]];
  if (total !== null && ids.length < Math.min(total, 100) && !what.includes("OFFSET"))
    throw new Error(`find_documents, ${what}: ${ids.length} of ${total}`);
  return { total, ids: ids.length };
}

async function ask(bench: Bench, corpus: Corpus, { what, options }: Question): Promise<Row> {
  const command = ["FCALL_RO", "find_documents", 0, "P", ...options];
  const { total, ids } = requireSound(what, await bench.call(...command));
  const { searches } = bench.sizes;
  const before = await bench.cpuMs();
  await bench.pipeline(Array.from({ length: searches }, () => encode(command)));
  const perCallMs = ((await bench.cpuMs()) - before) / searches;
  return {
    what: `find_documents P: ${what}`,
    against: `${corpus.pages.toLocaleString("en-US")} pages`,
    ours: `${milliseconds(perCallMs)} of server time`,
    theirs: total === null ? `${ids} found, total nil` : `${total.toLocaleString("en-US")} found`,
  };
}

/** Keys that documents are found by, and the lists that get_document reads as well. */
const PARTS: [what: string, isPart: RegExp][] = [
  ["lists of websites and sections", /^SS:PAGES:|^SS:SECTIONS:/],
  ["list of all pages", /^SS:VISITED:/],
  ["addresses", /^SS:URLS:/],
  ["levels", /^S:LEVEL/],
  [`titles of ${TITLE_WORDS} words`, /^S:TITLE:/],
  ["names of sections", /^SS:NAMES:/],
  ["documents", /^H:DOCUMENT:/],
];

async function memoryOf(bench: Bench, pages: number): Promise<string> {
  const names = (await bench.call("KEYS", "*")) as string[];
  const parts: string[] = [];
  for (const [what, isPart] of PARTS) {
    let sum = 0;
    for (const name of names.filter((each) => isPart.test(each)))
      sum += (await bench.call("MEMORY", "USAGE", name, "SAMPLES", 0)) as number;
    parts.push(`${what} ${bytes(sum / pages)}`);
  }
  return `Documents, memory of one of ${pages.toLocaleString("en-US")} pages: ${parts.join(", ")}.`;
}

async function run(bench: Bench): Promise<Findings> {
  await bench.flush();
  const corpus = { pages: bench.sizes.searchedPages, nowMs: Date.now() };
  await visitAll(bench, corpus);
  await enrichAll(bench, corpus);
  const rows: Row[] = [];
  for (const question of questionsOf(corpus)) rows.push(await ask(bench, corpus, question));
  const notes = [
    `find_documents: the first 100 ids and the total, ${bench.sizes.searches} calls each, processor time of the server; a total is nil where more than LIMIT (1,000 by default) records would have to be looked at.`,
    await memoryOf(bench, corpus.pages),
  ];
  return { rows, notes };
}

export const documents: Group = { name: "documents", run };
