/** Sums by key with a bound: those of the most frequent keys are kept (bounded.ts). */
import { NONE } from '../model.ts'
import { Bounded, MOST_KEYS } from './bounded.ts'

/** Ids of addresses and names are small: the places of those below stand in an array, where no hash has to be made. */
const FEW = 1 << 16

export class Tally<Key, Sum> extends Bounded {
  private readonly beginSum: () => Sum
  private readonly whenDropped: ((sum: Sum) => void) | null
  /** By place. */
  private readonly keysAt: Key[] = []
  private readonly sumsAt: Sum[] = []
  private places: Map<Key, number> | null = null
  /** Places by key, where it is a small number: there is a tally for each of many clients, and a map takes 0.2 KB when it is empty. */
  private readonly few: (number | undefined)[] = []
  /** What is closed together is told one after the other, so the key is mostly that of the last time. */
  private lastKey: Key | undefined = undefined
  private lastSum: Sum | undefined = undefined
  private lastPlace = NONE

  /** `most`: where a sum is large. `whenDropped`: takes the sum of a key that is forgotten. */
  constructor(beginSum: () => Sum, most = MOST_KEYS, whenDropped: ((sum: Sum) => void) | null = null) {
    super(most)
    this.beginSum = beginSum
    this.whenDropped = whenDropped
  }

  /** The key's sum, to be added to: `weight` tells how much its key counts when room has to be made. */
  of(key: Key, weight = 1): Sum {
    if (key === this.lastKey) {
      this.weights[this.lastPlace] += weight
      return this.lastSum as Sum
    }
    let place = this.placeOf(key)
    if (place === NONE) place = this.beginKey(key)
    this.weights[place] += weight
    this.lastKey = key
    this.lastPlace = place
    this.lastSum = this.sumsAt[place]
    return this.lastSum
  }

  get(key: Key): Sum | undefined {
    const place = this.placeOf(key)
    return place === NONE ? undefined : this.sumsAt[place]
  }

  has(key: Key): boolean {
    return this.placeOf(key) !== NONE
  }

  /** Whether the key's sum has all that there was of it: it was begun before any key was forgotten. */
  isWhole(key: Key): boolean {
    const place = this.placeOf(key)
    return (place === NONE ? this.error : this.lackAt(place)) === 0
  }

  /** Adds the sums of another one, by `join`, with what they weigh. */
  joinAll(more: Tally<Key, Sum>, join: (into: Sum, sum: Sum) => void): void {
    for (let place = 0; place < more.size; place++)
      join(this.of(more.keysAt[place], more.weights[place]), more.sumsAt[place])
    this.joinLacks(more)
  }

  keys(): readonly Key[] {
    return this.keysAt
  }

  values(): readonly Sum[] {
    return this.sumsAt
  }

  *[Symbol.iterator](): Generator<[Key, Sum]> {
    for (let place = 0; place < this.size; place++) yield [this.keysAt[place], this.sumsAt[place]]
  }

  private placeOf(key: Key): number {
    return (isFew(key) ? this.few[key] : this.places?.get(key)) ?? NONE
  }

  private beginKey(key: Key): number {
    const place = this.begin()
    this.keysAt.length = this.sumsAt.length = place
    this.keysAt.push(key)
    this.sumsAt.push(this.beginSum())
    this.put(key, place)
    return place
  }

  private put(key: Key, place: number): void {
    if (isFew(key)) this.few[key] = place
    else {
      this.places ??= new Map()
      this.places.set(key, place)
    }
  }

  protected drop(place: number): void {
    const key = this.keysAt[place]
    if (isFew(key)) this.few[key] = undefined
    else this.places?.delete(key)
    this.lastKey = undefined
    this.whenDropped?.(this.sumsAt[place])
  }

  protected move(from: number, to: number): void {
    this.keysAt[to] = this.keysAt[from]
    this.sumsAt[to] = this.sumsAt[from]
    this.put(this.keysAt[to], to)
  }
}

const isFew = (key: unknown): key is number => typeof key === 'number' && key >= 0 && key < FEW
