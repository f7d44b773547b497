/** Sums by key with a bound: what comes first is kept, and a rule that has seen this many keys has seen enough. */
import { NONE } from '../model.ts'

export const MOST_KEYS = 10_000

/** Ids of addresses and names are small: sums of those below stand in an array too, where no hash has to be made. */
const FEW = 1 << 16

export class Tally<Key, Sum> {
  readonly map = new Map<Key, Sum>()
  private readonly begin: () => Sum
  private readonly most: number
  /** What is closed together is told one after the other, so the key is mostly that of the last time. */
  private lastKey: Key | undefined = undefined
  private lastSum: Sum | null = null
  /** By key, where it is a small number. */
  private readonly few: (Sum | undefined)[] = []

  /** `most`: where a sum is large. */
  constructor(begin: () => Sum, most = MOST_KEYS) {
    this.begin = begin
    this.most = most
  }

  /** The key's sum; null where the table is full and the key new. */
  of(key: Key): Sum | null {
    if (key === this.lastKey) return this.lastSum
    const id: number = typeof key === 'number' && key >= 0 && key < FEW ? key : NONE
    let sum = id === NONE ? this.map.get(key) : this.few[id]
    if (sum === undefined) {
      if (this.map.size >= this.most) return null
      sum = this.begin()
      this.map.set(key, sum)
      if (id !== NONE) this.few[id] = sum
    }
    this.lastKey = key
    this.lastSum = sum
    return sum
  }
}
