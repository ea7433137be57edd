/** The day as a picture: a line for each seller. */
import { formatCount, formatDuration, formatSpan } from "../../host/terminal/format";
import { checkTable } from "../checks";
import { joined, paperOf, part, table, type Paper, type ReportStyle } from "../paper";
import type { DayResult, SellerDay } from "./result";
import { HOUR_MS } from "../../host/runtime/time";

const BARS = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
const MESSAGE = "●";
const FAILURE = "×";
/** What stands beside the hours: seller, packages, messages and gaps. */
const BESIDE = 29;

/** Renders the result for people. */
export function renderDay(result: DayResult, style: ReportStyle): string {
  const paper = paperOf(style);
  return joined([
    [
      `${paper.colors.bold("Hotpath")} · a day of sellers on ${result.server}, ${formatSpan(result.fromMs, result.toMs)} UTC`,
      "",
      `${formatCount(result.packages)} packages of ${result.sellers.length} sellers, ${formatCount(result.scans)} scans, in ${formatDuration(result.elapsedMs)}`,
    ],
    part("Who was notified when", timeline(result, paper), paper),
    part("What the receiver did", receiverPart(result, paper), paper),
    part("Checked against what was scanned", checkTable(result.checks, paper), paper),
  ]);
}

function timeline(result: DayResult, { width, colors }: Paper): string[] {
  const fromMs = Math.floor(result.fromMs / HOUR_MS) * HOUR_MS;
  const hours = Math.ceil((result.toMs + 1 - fromMs) / HOUR_MS);
  const perHour = [4, 3, 2, 1].find((each) => hours * each + BESIDE <= width) ?? 1;
  const slots = { fromMs, slotMs: HOUR_MS / perHour, count: hours * perHour };
  const most = Math.max(...result.sellers.flatMap((seller) => scansBySlot(seller, slots)));
  const axis = Array.from({ length: hours }, (_, at) => hourLabel(fromMs + at * HOUR_MS, perHour)).join("");
  return [
    `${BARS[3]} scans   ${colors.cyan(MESSAGE)} message arrived   ${colors.yellow("2")} at the second attempt   ${colors.red(FAILURE)} attempt failed`,
    "",
    colors.dim(`${"seller".padEnd(8)}${axis}  packages  messages`),
    ...result.sellers.map((seller) => sellerLine(seller, slots, most, colors)),
  ];
}

interface Slots {
  fromMs: number;
  slotMs: number;
  count: number;
}

function hourLabel(ms: number, perHour: number): string {
  const hour = new Date(ms).toISOString().slice(11, 13);
  return perHour === 1 ? hour.slice(1) : hour.padEnd(perHour);
}

function slotOf(ms: number, { fromMs, slotMs }: Slots): number {
  return Math.floor((ms - fromMs) / slotMs);
}

function scansBySlot({ scans }: SellerDay, slots: Slots): number[] {
  const counts = Array.from({ length: slots.count }, () => 0);
  for (const ms of scans) counts[slotOf(ms, slots)]! += 1;
  return counts;
}

function sellerLine(seller: SellerDay, slots: Slots, most: number, colors: Paper["colors"]): string {
  const cells = scansBySlot(seller, slots).map((count) =>
    count === 0 ? colors.dim("·") : BARS[Math.ceil((count / most) * BARS.length) - 1]!,
  );
  for (const ms of seller.failures) cells[slotOf(ms, slots)] = colors.red(FAILURE);
  for (const { atMs, requests } of seller.messages) {
    cells[slotOf(atMs, slots)] = requests === 1 ? colors.cyan(MESSAGE) : colors.yellow(String(Math.min(requests, 9)));
  }
  const packages = seller.messages.reduce((sum, message) => sum + message.packages, 0);
  return `${seller.seller.padEnd(8)}${cells.join("")}  ${String(packages).padStart(8)}  ${String(seller.messages.length).padStart(8)}`;
}

function receiverPart({ manners, repeats, abandoned, sellers }: DayResult, paper: Paper): string[] {
  const rows = manners.map(({ manner, requests }) => [manner, formatCount(requests)]);
  const messages = sellers.flatMap((seller) => seller.messages);
  const longest = messages.length === 0 ? 0 : Math.max(...messages.map(({ afterLastScanMs }) => afterLastScanMs));
  return [
    ...table([{ title: "it" }, { title: "requests", align: "right" }], rows, paper),
    "",
    `Came again under the same id, and dropped: ${formatCount(repeats)}.`,
    `Out when a host died, and back when the lease was over: ${formatCount(abandoned)}.`,
    `The longest way from the last scan: ${formatDuration(longest)}.`,
  ];
}
