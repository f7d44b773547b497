// @ts-check
/** Seeded random numbers: the same seed gives the same capture, byte for byte, on every machine. */

/**
 * sfc32. Returns a function that gives an unsigned 32-bit integer.
 * @param {number} seed
 */
export function randomSource(seed) {
  let a = seed | 0
  let b = 0x9e3779b9 | 0
  let c = 0x243f6a88 | 0
  let d = 1
  const next = () => {
    const t = (((a + b) | 0) + d) | 0
    d = (d + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + t) | 0
    return t >>> 0
  }
  for (let i = 0; i < 16; i++) next()
  return next
}

const TABLE = 1 << 14

/**
 * A table of samples of a log-normal distribution: drawing from a table costs one load, drawing afresh two logarithms.
 * @param {() => number} next
 * @param {number} median
 * @param {number} sigma
 */
export function lognormalTable(next, median, sigma) {
  const table = new Float64Array(TABLE)
  for (let i = 0; i < TABLE; i++) {
    const u = (next() + 1) / 4294967297
    const v = next() / 4294967296
    table[i] = median * Math.exp(sigma * Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v))
  }
  return table
}

/**
 * A table of exponential intervals.
 * @param {() => number} next
 * @param {number} mean
 */
export function exponentialTable(next, mean) {
  const table = new Float64Array(TABLE)
  for (let i = 0; i < TABLE; i++) table[i] = -mean * Math.log((next() + 1) / 4294967297)
  return table
}

/**
 * A table of indexes 0..count-1 with Zipf's weights: the index of rank r comes with weight 1 / (r + 1).
 * @param {number} count
 */
export function zipfTable(count) {
  const size = 1 << 16
  const table = new Uint32Array(size)
  let sum = 0
  for (let r = 0; r < count; r++) sum += 1 / (r + 1)
  let rank = 0
  let reached = 1 / sum
  for (let i = 0; i < size; i++) {
    while ((i + 0.5) / size > reached && rank < count - 1) {
      rank++
      reached += 1 / (rank + 1) / sum
    }
    table[i] = rank
  }
  return table
}

/**
 * @param {Float64Array | Uint32Array} table its length is a power of two
 * @param {() => number} next
 */
export const draw = (table, next) => table[next() & (table.length - 1)]
