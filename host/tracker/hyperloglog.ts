/**
 * The union of HyperLogLogs outside of Redis, for devices that several partitions have seen.
 *
 * Layout: the comment at the top of Redis' `hyperloglog.c`; 16,384 registers of six bits, packed from the low bits on, or runs of
 * registers. Estimate: O. Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017, arXiv:1702.01284),
 * algorithm 6, which PFCOUNT uses since Redis 5: the same registers give the same number.
 */

const REGISTERS = 16_384;
const HEADER_BYTES = 16;
const DENSE_BYTES = HEADER_BYTES + (REGISTERS * 6) / 8;
/** Registers hold the place of the first 1 among this many bits of a hash. */
const HASH_BITS = 50;
/** 1 / (2 ln 2) */
const ALPHA = 0.72134752044448170368;

/**
 * How many different elements several HyperLogLogs have seen together.
 *
 * @param sketches as GET answers them
 * @returns what PFCOUNT of all of them would answer; 0 for none
 * @throws RangeError for bytes that are no HyperLogLog
 */
export function countUnion(sketches: Iterable<Uint8Array>): number {
  const registers = new Uint8Array(REGISTERS);
  for (const sketch of sketches) unite(registers, sketch);
  return estimate(registers);
}

function unite(registers: Uint8Array, sketch: Uint8Array): void {
  const isLike = String.fromCharCode(...sketch.subarray(0, 4)) === "HYLL";
  if (isLike && sketch[4] === 0 && sketch.length === DENSE_BYTES) uniteDense(registers, sketch);
  else if (isLike && sketch[4] === 1) uniteSparse(registers, sketch);
  else throw new RangeError(`no HyperLogLog: ${sketch.length} bytes`);
}

function uniteDense(registers: Uint8Array, sketch: Uint8Array): void {
  // Four registers are three bytes.
  for (let register = 0, at = HEADER_BYTES; register < REGISTERS; register += 4, at += 3) {
    const bits = sketch[at]! | (sketch[at + 1]! << 8) | (sketch[at + 2]! << 16);
    for (let place = 0; place < 4; place += 1) raise(registers, register + place, (bits >> (6 * place)) & 63);
  }
}

function uniteSparse(registers: Uint8Array, sketch: Uint8Array): void {
  let register = 0;
  let at = HEADER_BYTES;
  while (at < sketch.length) {
    const opcode = sketch[at]!;
    if (opcode >= 128) {
      const value = ((opcode >> 2) & 31) + 1;
      const length = (opcode & 3) + 1;
      for (let place = 0; place < length; place += 1) raise(registers, register + place, value);
      register += length;
      at += 1;
    } else if (opcode >= 64) {
      register += (((opcode & 63) << 8) | (sketch[at + 1] ?? 0)) + 1;
      at += 2;
    } else {
      register += opcode + 1;
      at += 1;
    }
  }
  if (register !== REGISTERS) throw new RangeError(`no HyperLogLog: it has ${register} registers`);
}

function raise(registers: Uint8Array, register: number, value: number): void {
  if (registers[register]! < value) registers[register] = value;
}

function estimate(registers: Uint8Array): number {
  const histogram = new Array<number>(64).fill(0);
  for (const value of registers) histogram[value]! += 1;
  let z = REGISTERS * tau((REGISTERS - histogram[HASH_BITS + 1]!) / REGISTERS);
  for (let value = HASH_BITS; value >= 1; value -= 1) z = 0.5 * (z + histogram[value]!);
  z += REGISTERS * sigma(histogram[0]! / REGISTERS);
  return Math.round((ALPHA * REGISTERS * REGISTERS) / z);
}

function sigma(share: number): number {
  if (share === 1) return Infinity;
  let x = share;
  let y = 1;
  let z = share;
  for (let before = NaN; before !== z;) {
    x *= x;
    before = z;
    z += x * y;
    y += y;
  }
  return z;
}

function tau(share: number): number {
  if (share === 0 || share === 1) return 0;
  let x = share;
  let y = 1;
  let z = 1 - share;
  for (let before = NaN; before !== z;) {
    x = Math.sqrt(x);
    before = z;
    y *= 0.5;
    z -= (1 - x) ** 2 * y;
  }
  return z / 3;
}
