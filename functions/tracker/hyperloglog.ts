/**
 * HyperLogLogs as values, on their way from one partition to another.
 *
 * Redis takes what it is given for a HyperLogLog if it begins like one, and some versions write beyond the end of their
 * registers where it is malformed. So what comes from outside is walked before Redis sees it. The layout is that of the
 * comment at the top of Redis' `hyperloglog.c`: a header of 16 bytes, whose fifth byte says dense (0) or sparse (1), then
 * 16,384 registers of six bits, or a list of runs of registers.
 */
const HEADER_BYTES = 16;
const REGISTERS = 16384;
const DENSE_BYTES = HEADER_BYTES + (REGISTERS * 6) / 8;
const DENSE = 0;
const SPARSE = 1;

/** The largest HyperLogLog there is. */
export const MAX_BYTES = DENSE_BYTES;

const XZERO = 64;
const VAL = 128;

/** Where the sparse list ends; undefined if its runs are not those of all registers. */
function sparseEnd(all: string): number | undefined {
  let registers = 0;
  let at = HEADER_BYTES + 1;
  while (registers < REGISTERS) {
    const opcode = string.byte(all, at);
    if (opcode === undefined) return undefined;
    at += 1;
    if (opcode >= VAL) {
      registers += (opcode % 4) + 1;
    } else if (opcode >= XZERO) {
      const low = string.byte(all, at);
      if (low === undefined) return undefined;
      at += 1;
      registers += (opcode - XZERO) * 256 + low + 1;
    } else {
      registers += opcode + 1;
    }
  }
  return registers === REGISTERS ? at - 1 : undefined;
}

/** How long the HyperLogLog at the start of some bytes is; undefined if there is none. */
function endOf(all: string): number | undefined {
  if (string.sub(all, 1, 4) !== "HYLL") return undefined;
  const encoding = string.byte(all, 5);
  if (encoding === DENSE) return DENSE_BYTES;
  return encoding === SPARSE ? sparseEnd(all) : undefined;
}

/** Whether some bytes are one HyperLogLog and nothing else. */
export function isHyperLogLog(all: string): boolean {
  return endOf(all) === all.length;
}
