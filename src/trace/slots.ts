/** Hash tables whose entries are slots of columns: chained by the numbers of the slots, of which 0 is none. */

/** No slot: the end of a chain. */
export const NOTHING = 0

/** A hash of two numbers; its low bits choose the chain. */
export function chainOf(a: number, b: number): number {
  let hash = Math.imul(a ^ 0x9e37, 0x85eb_ca6b) ^ Math.imul(b, 0x9e37_79b1)
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b_3c6d)
  return hash ^ (hash >>> 13)
}

/** The column with room for twice as many. */
export function doubled(column: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(column.length * 2)
  larger.set(column)
  return larger
}
