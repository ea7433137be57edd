/** Topics and notifications as tables. */
import type { GateState } from "../../jobs/gate";
import type { TopicStatus } from "../../notifier/metrics";
import { formatCount, formatTime, formatWhen, printable } from "../../terminal/format";
import { renderTable, type Column } from "../../terminal/table";
import { WIDTH } from "../../terminal/output";
import type { State } from "./command";

/** As `list_notifications` answers it; of the items only the first. */
export interface Listed {
  id: string;
  subject: string;
  items: string[];
  /** Of all items. */
  count: number;
  attempt: number;
  /** When it is due, when its lease ends, or when it died; unix milliseconds. */
  at: number;
  worker?: string;
  reason?: string;
}

export interface TopicRow {
  topic: string;
  /** Null if it is in the configuration only. */
  status: TopicStatus | null;
  gate: GateState;
}

export interface Page {
  topic: string;
  state: State;
  total: number;
  offset: number;
  listed: readonly Listed[];
}

const right = (title: string): Column => ({ title, align: "right" });

const TOPIC_COLUMNS: Column[] = [
  { title: "topic" },
  { title: "stream", dropRank: 1 },
  ...["unread", "collecting", "due", "waiting", "leased", "dead", "delivered"].map(right),
  { title: "next" },
];

/** All topics; below, what receivers said that want nothing now. */
export function renderTopics(rows: readonly TopicRow[], nowMs: number): string {
  const lines = renderTable(
    TOPIC_COLUMNS,
    rows.map((row) => topicRow(row, nowMs)),
    WIDTH,
  );
  const words = rows.flatMap(({ topic, gate }) => gateWords(topic, gate, nowMs));
  return [...lines, ...(words.length > 0 ? ["", ...words] : [])].join("\n");
}

function topicRow({ topic, status }: TopicRow, nowMs: number): string[] {
  if (status === null) return [printable(topic), "not made yet: a host makes it when it starts"];
  const { stream, unread, collecting, due, waiting, leased, dead, delivered, next } = status;
  const counts = [unread, collecting, due, waiting, leased, dead, delivered].map(formatCount);
  return [printable(topic), printable(stream), ...counts, next === null ? "" : formatWhen(next, nowMs)];
}

function gateWords(topic: string, gate: GateState, nowMs: number): string[] {
  if (gate.state === "disabled")
    return [`${printable(topic)}: disabled since ${formatTime(gate.sinceMs)} UTC: ${printable(gate.reason)}`];
  if (gate.state === "paused" && gate.untilMs > nowMs) {
    return [`${printable(topic)}: paused until ${formatTime(gate.untilMs)} UTC: ${printable(gate.reason)}`];
  }
  return [];
}

const AT: Record<State, string> = { waiting: "due", leased: "lease ends", dead: "died" };

/** One page of notifications, and how many there are. */
export function renderNotifications({ topic, state, total, offset, listed }: Page, nowMs: number): string {
  if (listed.length === 0) return `${formatCount(total)} ${state} in ${printable(topic)}`;
  const columns: Column[] = [
    { title: "id" },
    { title: "subject" },
    right("items"),
    right("attempt"),
    { title: AT[state] },
    { title: state === "leased" ? "worker" : "reason", flexible: "end" },
  ];
  const rows = listed.map((each) => notificationRow(each, state, nowMs));
  const shown = `${formatCount(offset + 1)} to ${formatCount(offset + listed.length)} of ${formatCount(total)} ${state} in ${printable(topic)}`;
  return [...renderTable(columns, rows, Math.max(WIDTH, LEAST_WIDTH)), "", shown].join("\n");
}

/** Ids are there to be copied: rather a line that is wrapped than one that is cut. */
const LEAST_WIDTH = 110;
const MAX_SUBJECT = 24;

function notificationRow(
  { id, subject, count, attempt, at, worker, reason }: Listed,
  state: State,
  nowMs: number,
): string[] {
  const short = subject.length > MAX_SUBJECT ? `${subject.slice(0, MAX_SUBJECT - 1)}…` : subject;
  const words = (state === "leased" ? worker : reason) ?? "";
  return [id, printable(short), formatCount(count), String(attempt), formatWhen(at, nowMs), printable(words)];
}
