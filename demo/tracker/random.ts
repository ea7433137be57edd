/** Source of pseudo-random numbers in [0, 1). */
export type Random = () => number;

/**
 * Makes a seeded generator (mulberry32), so that generated traffic can be repeated exactly.
 *
 * @param seed any integer; its low 32 bits count
 * @returns a function that answers the next number in [0, 1)
 */
export function seededRandom(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Makes a sampler of indexes in proportion to their weights, in O(log n) a draw.
 *
 * @param weights one positive weight an index; at least one
 * @param random where the randomness comes from
 * @returns a function that answers the next index, 0 to weights.length - 1
 */
export function weightedSampler(weights: readonly number[], random: Random): () => number {
  const cumulative = new Float64Array(weights.length);
  let total = 0;
  weights.forEach((weight, index) => {
    total += weight;
    cumulative[index] = total;
  });
  return () => firstAbove(cumulative, random() * total);
}

/**
 * Zipf weights: the item of rank r (from 1) weighs 1 / r^exponent.
 *
 * @param count number of items
 * @param exponent 1 for the classic law, less for a flatter one
 * @returns the weights, heaviest first
 */
export function zipfWeights(count: number, exponent: number): number[] {
  return Array.from({ length: count }, (_, index) => 1 / (index + 1) ** exponent);
}

function firstAbove(ascending: Float64Array, value: number): number {
  let low = 0;
  let high = ascending.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ascending[middle] ?? 0) > value) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}
