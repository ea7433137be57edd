/** How many products a shop has, year by year. */

/** The first four years are known, and the sum; from then on a catalog grows from year to year. */
const KNOWN = new Map([
  [1973, 21],
  [1974, 19],
  [1975, 30],
  [1976, 49],
]);

export interface CountOptions {
  from: number;
  to: number;
  /** Of all years. */
  total: number;
  /** 1 for all of it, 0.01 for one product of a hundred; no year is without any. */
  scale: number;
}

/** Year → number of products. */
export function countsByYear({ from, to, total, scale }: CountOptions): Map<number, number> {
  const years = Array.from({ length: to - from + 1 }, (_, at) => from + at);
  const rest = total - years.reduce((sum, year) => sum + (KNOWN.get(year) ?? 0), 0);
  const growing = years.filter((year) => !KNOWN.has(year));
  const weights = growing.map((_, at) => at + 12);
  const sum = weights.reduce((left, right) => left + right, 0);
  let weightSoFar = 0;
  let given = 0;
  const counts = new Map(KNOWN);
  growing.forEach((year, at) => {
    weightSoFar += weights[at]!;
    const upToHere = Math.round((rest * weightSoFar) / sum);
    counts.set(year, upToHere - given);
    given = upToHere;
  });
  return new Map(years.map((year) => [year, Math.max(1, Math.round(counts.get(year)! * scale))]));
}
