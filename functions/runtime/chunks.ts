/** Commands with many values, in parts: Lua unpacks some 8,000 values at most. */

/** Divisible by two, so that a part of fields and values ends with a value. */
const MOST = 4000;

/**
 * A reply of one value and then the items of a list: made by hand, because a spread unpacks the list and fails beyond some 8,000.
 *
 * @param items is not changed
 */
export function withHead(head: unknown, items: readonly unknown[]): unknown[] {
  const reply: unknown[] = [head];
  for (const item of items) reply.push(item);
  return reply;
}

/** Calls `run` with all values, so many at a time. */
export function inChunks(values: string[], run: (this: void, part: string[]) => void): void {
  const count = values.length;
  if (count === 0) return;
  if (count <= MOST) {
    run(values);
    return;
  }
  for (const first of $range(1, count, MOST)) {
    const part: string[] = [];
    for (const at of $range(first, Math.min(first + MOST - 1, count))) part.push(values[at - 1]!);
    run(part);
  }
}
