/** What keys do to `hotpath top`. Pure. */
import type { Key } from "../../terminal/keys";
import type { TopRow } from "./data";
import type { Dimension } from "../../contract";
import { canFilter, DIMENSIONS, WINDOWS, type Query } from "./query";

export interface TopState {
  query: Query;
  /** Row under the cursor, and the first one that is visible; from 0. */
  selected: number;
  first: number;
  paused: boolean;
  /** What is typed for a website, while it is. */
  prompt?: string | undefined;
  /** A website that was typed and is still to be found. */
  sought?: string | undefined;
  ended: boolean;
}

/** What is on the screen. */
export interface Visible {
  rows: readonly TopRow[];
  /** How many fit. */
  fit: number;
}

const MAX_PROMPT = 200;

const DIMENSION_KEYS: Record<string, Dimension> = { p: "P", s: "S", w: "W", a: "A", v: "V", c: "PC" };

/** The state after a key; the same object where it does nothing. */
export function pressed(state: TopState, key: Key, visible: Visible): TopState {
  if (key === "interrupt") return { ...state, ended: true };
  if (state.prompt !== undefined) return typed(state, state.prompt, key);
  if (typeof key === "object") return letter(state, key.text);
  switch (key) {
    case "up":
      return moved(state, state.selected - 1, visible);
    case "down":
      return moved(state, state.selected + 1, visible);
    case "page up":
      return moved(state, state.selected - visible.fit, visible);
    case "page down":
      return moved(state, state.selected + visible.fit, visible);
    case "home":
      return moved(state, 0, visible);
    case "end":
      return moved(state, visible.rows.length - 1, visible);
    case "left":
      return asking(state, { window: neighbour(WINDOWS, state.query.window, -1) });
    case "right":
      return asking(state, { window: neighbour(WINDOWS, state.query.window, 1) });
    case "tab":
      return withDimension(state, DIMENSIONS[(DIMENSIONS.indexOf(state.query.dimension) + 1) % DIMENSIONS.length]!);
    case "enter":
      return lookedInto(state, visible.rows[state.selected]);
    case "escape":
    case "backspace":
      return state.query.filter === undefined ? state : asking(state, { filter: undefined });
    default:
      return state;
  }
}

/** The state with its cursor on a row that is there, and that row in sight. */
export function inSight(state: TopState, { rows, fit }: Visible): TopState {
  const selected = Math.max(0, Math.min(state.selected, rows.length - 1));
  const lastFirst = Math.max(0, rows.length - fit);
  const first = Math.max(0, Math.min(state.first, lastFirst, selected), selected - fit + 1);
  return selected === state.selected && first === state.first ? state : { ...state, selected, first };
}

function letter(state: TopState, text: string): TopState {
  const lower = text.toLowerCase();
  const dimension = DIMENSION_KEYS[lower];
  if (dimension !== undefined) return withDimension(state, dimension);
  const window = WINDOWS[Number(text) - 1];
  if (window !== undefined) return asking(state, { window });
  switch (lower) {
    case "q":
      return { ...state, ended: true };
    case " ":
      return { ...state, paused: !state.paused };
    case "f":
    case "/":
      return { ...state, prompt: "" };
    default:
      return state;
  }
}

function typed(state: TopState, prompt: string, key: Key): TopState {
  if (typeof key === "object") return { ...state, prompt: (prompt + key.text).slice(0, MAX_PROMPT) };
  if (key === "backspace") return { ...state, prompt: Array.from(prompt).slice(0, -1).join("") };
  if (key === "escape") return { ...state, prompt: undefined };
  if (key !== "enter") return state;
  const sought = prompt.trim();
  const closed = { ...state, prompt: undefined };
  return sought === "" ? asking(closed, { filter: undefined }) : { ...closed, sought };
}

function moved(state: TopState, selected: number, visible: Visible): TopState {
  return inSight({ ...state, selected }, visible);
}

/** Audio, video and podcasts are ranked over all websites. */
function withDimension(state: TopState, dimension: Dimension): TopState {
  return asking(state, canFilter(dimension) ? { dimension } : { dimension, filter: undefined });
}

/** Another question begins at its first row. */
function asking(state: TopState, change: Partial<Query>): TopState {
  const query = { ...state.query, ...change };
  const isSame = (Object.keys(change) as (keyof Query)[]).every((name) => state.query[name] === query[name]);
  return isSame ? { ...state, query: state.query } : { ...state, query, selected: 0, first: 0 };
}

/** A website's pages, a section's pages. */
function lookedInto(state: TopState, row: TopRow | undefined): TopState {
  if (!row?.isRead) return state;
  const { partition, id, name, website, websiteId } = row;
  if (state.query.dimension === "W") {
    return asking(state, { dimension: "P", filter: { partition, websiteId: id, website: name } });
  }
  if (state.query.dimension !== "S" || website === null || websiteId === null) return state;
  return asking(state, { dimension: "P", filter: { partition, websiteId, website, sectionId: id, section: name } });
}

function neighbour<T>(all: readonly T[], one: T, step: 1 | -1): T {
  return all[Math.max(0, Math.min(all.length - 1, all.indexOf(one) + step))]!;
}
