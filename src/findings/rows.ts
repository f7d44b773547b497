/**
 * Sums by key where there are many keys and each sum is a few numbers: rows of one typed array. A row of four numbers takes 60 bytes; as
 * an object in a Map it takes 150, and there is one for every name that a capture shows. What only few rows have stands beside, in a Map.
 */
import { NONE } from '../model.ts'
import { MOST_KEYS } from './tally.ts'

/** Powers of two. */
const FIRST_ROOM = 64

export class Rows {
  /** Row after row; it is another array after `of` has made a row. */
  cells: Float64Array
  size = 0
  /** Cells of a row. */
  private readonly width: number
  private readonly most: number
  private keys = new Float64Array(FIRST_ROOM)
  /** Row number + 1 by place in the hash table; 0 where it is free. */
  private table = new Int32Array(FIRST_ROOM * 2)
  private lastKey = Number.NaN
  private lastRow = NONE

  /** What comes first is kept, as in a Tally. */
  constructor(width: number, most = MOST_KEYS) {
    this.width = width
    this.most = most
    this.cells = new Float64Array(FIRST_ROOM * width)
  }

  /** The key's row, made of zeros where it is new; NONE where the table is full. Keys are whole numbers. */
  of(key: number): number {
    if (key === this.lastKey) return this.lastRow
    let place = this.placeOf(key)
    let row = this.table[place] - 1
    if (row === NONE) {
      if (this.size >= this.most) return NONE
      if (this.size === this.keys.length) {
        this.enlarge()
        place = this.placeOf(key)
      }
      row = this.size++
      this.keys[row] = key
      this.table[place] = row + 1
    }
    this.lastKey = key
    this.lastRow = row
    return row
  }

  /** The key's row; NONE without. */
  find(key: number): number {
    return key === this.lastKey ? this.lastRow : this.table[this.placeOf(key)] - 1
  }

  keyOf(row: number): number {
    return this.keys[row]
  }

  /** One number of a row. */
  get(row: number, column: number): number {
    return this.cells[row * this.width + column]
  }

  set(row: number, column: number, value: number): void {
    this.cells[row * this.width + column] = value
  }

  add(row: number, column: number): void {
    this.cells[row * this.width + column]++
  }

  private placeOf(key: number): number {
    const { table, keys } = this
    const mask = table.length - 1
    let place = hashOf(key) & mask
    while (table[place] !== 0 && keys[table[place] - 1] !== key) place = (place + 1) & mask
    return place
  }

  private enlarge(): void {
    const { keys, cells } = this
    this.keys = new Float64Array(keys.length * 2)
    this.keys.set(keys)
    this.cells = new Float64Array(cells.length * 2)
    this.cells.set(cells)
    this.table = new Int32Array(keys.length * 4)
    for (let row = 0; row < this.size; row++) this.table[this.placeOf(keys[row])] = row + 1
  }
}

function hashOf(key: number): number {
  const high = Math.floor(key / 0x1_0000_0000)
  const hash = Math.imul(key | 0, 0x9e37_79b1) ^ Math.imul(high, 0x85eb_ca6b)
  return hash ^ (hash >>> 15)
}
