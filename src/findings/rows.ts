/**
 * Sums by key where there are many keys and each sum is a few numbers: rows of one typed array. A row of four numbers takes 60 bytes; as
 * an object in a Map it takes 150, and there is one for every name that a capture shows. What only few rows have stands beside, in a Map.
 */
import { NONE } from '../model.ts'
import { Bounded, MOST_KEYS } from '../trace/bounded.ts'

/** Powers of two. */
const FIRST_ROOM = 64

/** There are tables for each of many servers, and most stay empty. */
const NO_ROOM = new Float64Array(0)
const NO_TABLE = new Int32Array(1)

export class Rows extends Bounded {
  /** Row after row; it is another array, and rows may have other numbers, after `of` has made a row. */
  cells: Float64Array = NO_ROOM
  /** Cells of a row. */
  private readonly width: number
  private readonly whenDropped: ((key: number) => void) | null
  private keys: Float64Array = NO_ROOM
  /** Row number + 1 by place in the hash table; 0 where it is free. */
  private table: Int32Array = NO_TABLE
  private lastKey = Number.NaN
  private lastRow = NONE

  /** The most frequent keys are kept (bounded.ts). `whenDropped`: what stands beside the row of a key that is forgotten must go, too. */
  constructor(width: number, whenDropped: ((key: number) => void) | null = null, most = MOST_KEYS) {
    super(most)
    this.width = width
    this.whenDropped = whenDropped
  }

  /** The key's row, made of zeros where it is new. Keys are whole numbers. */
  of(key: number): number {
    if (key !== this.lastKey) {
      const row = this.find(key)
      this.lastRow = row === NONE ? this.beginRow(key) : row
      this.lastKey = key
    }
    this.weights[this.lastRow]++
    return this.lastRow
  }

  /** The key's row; NONE without. */
  find(key: number): number {
    return key === this.lastKey ? this.lastRow : this.table[this.placeOf(key)] - 1
  }

  /** Whether the key's row has all that there was of it: it was begun before any key was forgotten. */
  isWhole(row: number): boolean {
    return this.lackAt(row) === 0
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

  /** The rows that have one number in a column alike with others, together, in the order in which the first of them came. */
  sharing(column: number): number[][] {
    const groups = new Map<number, number[]>()
    for (let row = 0; row < this.size; row++) {
      const shared = this.get(row, column)
      const rows = groups.get(shared)
      if (rows) rows.push(row)
      else groups.set(shared, [row])
    }
    return [...groups.values()].filter(rows => rows.length > 1)
  }

  private placeOf(key: number): number {
    const { table, keys } = this
    const mask = table.length - 1
    let place = hashOf(key) & mask
    while (table[place] !== 0 && keys[table[place] - 1] !== key) place = (place + 1) & mask
    return place
  }

  private beginRow(key: number): number {
    const before = this.forgotten
    const row = this.begin()
    if (row === this.keys.length) this.enlarge()
    else if (this.forgotten > before) this.fillTable()
    this.cells.fill(0, row * this.width, (row + 1) * this.width)
    this.keys[row] = key
    this.table[this.placeOf(key)] = row + 1
    return row
  }

  private enlarge(): void {
    const { keys, cells } = this
    const room = Math.max(FIRST_ROOM, keys.length * 2)
    this.keys = new Float64Array(room)
    this.keys.set(keys)
    this.cells = new Float64Array(room * this.width)
    this.cells.set(cells)
    this.table = new Int32Array(room * 2)
    this.fillTable()
  }

  /** With all rows but the last, which is being made. */
  private fillTable(): void {
    this.table.fill(0)
    for (let row = 0; row < this.size - 1; row++) this.table[this.placeOf(this.keys[row])] = row + 1
  }

  protected drop(row: number): void {
    this.lastKey = Number.NaN
    this.whenDropped?.(this.keys[row])
  }

  protected move(from: number, to: number): void {
    this.keys[to] = this.keys[from]
    this.cells.copyWithin(to * this.width, from * this.width, (from + 1) * this.width)
  }
}

function hashOf(key: number): number {
  const high = Math.floor(key / 0x1_0000_0000)
  const hash = Math.imul(key | 0, 0x9e37_79b1) ^ Math.imul(high, 0x85eb_ca6b)
  return hash ^ (hash >>> 15)
}
