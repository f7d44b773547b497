/** Tables of one purpose: whether one of them was full, when first, and what that costs. */
import type { Bounded } from './bounded.ts'
import type { Transaction } from './transaction.ts'

export class Limit {
  /** What is being told to the tables. */
  now: Transaction | null = null
  /** Its first frame when a table was full for the first time, and the frame's file. */
  first: { file: number; frame: number } | null = null
  private readonly tables: readonly Bounded[]

  constructor(tables: readonly Bounded[]) {
    this.tables = tables
    for (const table of tables) table.whenFull = () => this.note()
  }

  /** How many times one of the tables forgot a key. */
  get forgotten(): number {
    return this.tables.reduce((n, { forgotten }) => n + forgotten, 0)
  }

  /** What a key of any of the tables may weigh beyond what is told, at most. */
  get error(): number {
    return this.tables.reduce((most, { error }) => Math.max(most, error), 0)
  }

  private note(): void {
    if (this.now === null) return
    const [file, frame] = this.now.frames
    this.first ??= { file, frame }
  }
}
