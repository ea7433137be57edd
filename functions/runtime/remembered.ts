/** What calls make of settings that operators store as JSON, kept between calls. */
import { currentPartition } from "./keys";

/**
 * Values made from a name and its stored text, by partition and name, so that a call need not decode them again. A value can only
 * ever be what it would be made again: another text makes another.
 */
export interface Memory<T> {
  /** Once it has kept more than so many, it forgets all. */
  most: number;
  count: number;
  byPlace: LuaMap<string, { stored: string; value: T }>;
}

export function newMemory<T>(most: number): Memory<T> {
  return { most, count: 0, byPlace: new LuaMap() };
}

/** The value of a name, if it was made from this text. */
export function recall<T>({ byPlace }: Memory<T>, name: string, stored: string): T | undefined {
  const known = byPlace.get(currentPartition() + name);
  return known !== undefined && known.stored === stored ? known.value : undefined;
}

/** Remembers the value that was made of a name and its text. */
export function remember<T>(memory: Memory<T>, name: string, stored: string, value: T): void {
  if (memory.count === memory.most) {
    memory.count = 0;
    memory.byPlace = new LuaMap();
  }
  memory.count += 1;
  memory.byPlace.set(currentPartition() + name, { stored, value });
}
