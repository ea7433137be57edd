/** `npm run bench`: measures side by side on one server in one run, prints a table, and keeps it with --write. */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { withServer, type Bench } from "./bench";
import { configurationOf, documentOf } from "./document";
import { COMPILED } from "./libraries";
import { readOptions } from "./options";
import type { Findings, Group } from "./row";
import { catalogProducts } from "./rows/catalog-products";
import { catalogTasks } from "./rows/catalog-tasks";
import { counting } from "./rows/counting";
import { documents } from "./rows/documents";
import { longestCalls } from "./rows/longest-calls";
import { memory } from "./rows/memory";
import { metadataCalls } from "./rows/metadata-calls";
import { metadataPlans } from "./rows/metadata-plans";
import { metadataQuery } from "./rows/metadata-query";
import { notifier } from "./rows/notifier";
import { patchIndex } from "./rows/patch-index";
import { ranking } from "./rows/ranking";
import { rankingOfAnHour } from "./rows/rank-hour";
import { rotationOfDevices } from "./rows/rotate-ud";
import { rotationOfViews } from "./rows/rotate-pg";
import { websiteInFour } from "./rows/shards";
import { slotGuard } from "./rows/slot-guard";
import { tableOf } from "./table";

const GROUPS: readonly Group[] = [
  counting,
  slotGuard,
  rotationOfDevices,
  rotationOfViews,
  ranking,
  rankingOfAnHour,
  websiteInFour,
  documents,
  memory,
  notifier,
  patchIndex,
  metadataCalls,
  metadataPlans,
  metadataQuery,
  catalogProducts,
  catalogTasks,
  longestCalls,
];
const DOCUMENT = fileURLToPath(new URL("../../docs/benchmarks.md", import.meta.url));

async function measure(bench: Bench, groups: readonly Group[]): Promise<Required<Findings>> {
  const all: Required<Findings> = { rows: [], notes: [], tables: [] };
  for (const group of groups) {
    console.error(`${group.name} …`);
    await bench.libraries.use(COMPILED);
    const { rows, notes, tables = [] } = await group.run(bench);
    await bench.flush();
    all.rows.push(...rows);
    all.notes.push(...notes);
    all.tables.push(...tables);
  }
  return all;
}

const options = readOptions(
  process.argv.slice(2),
  GROUPS.map((group) => group.name),
);
const groups = options.only.length === 0 ? GROUPS : GROUPS.filter((group) => options.only.includes(group.name));

await withServer(options.server, options.quick, async (bench) => {
  const configuration = configurationOf(bench, options.quick);
  console.log(configuration.join("\n"));
  const findings = await measure(bench, groups);
  console.log(`\n${tableOf(findings.rows)}\n\n${findings.notes.join("\n")}`);
  for (const { title, lines } of findings.tables) console.log(`\n${title}\n\n${lines.join("\n")}`);
  if (options.write) writeFileSync(DOCUMENT, documentOf(configuration, findings));
});
