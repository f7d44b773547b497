/**
 * A client's latest queries that brought nothing, whose continuation may come: the next candidate of a walk. A ring in columns, as every
 * query asks.
 */
import { NOERROR, NXDOMAIN } from '../codes.ts'
import { type AddressId, type NameId, NONE, type Time } from '../model.ts'
import { ANSWERED, type Transaction, UNSEEN } from './transaction.ts'

/** How many are remembered, and for how many there is room at first, as most clients have few; powers of two. */
const REMEMBERED = 64
const FIRST_ROOM = 4

// The columns of a row. Plain arrays: there is a ring for each client, and a typed array takes 200 bytes before it holds anything.
const QNAME = 0
const HEAD = 1
const ASKED = 2
const FLAGS = 3
const EDNS = 4
const END = 5
/** NONE where nothing came back. */
const RCODE = 6
const COLUMNS = 7

/** `Step`: what searchlist.ts knows of the step that led to a denied name. */
export class Denials<Step> {
  private numbers = newNumbers(FIRST_ROOM)
  private by = new Array<Step | null>(FIRST_ROOM).fill(null)
  private base = new Array<string>(FIRST_ROOM).fill('')
  private room = FIRST_ROOM
  /** When the latest was asked. */
  latestStart: Time = 0
  /** When the one that was answered last was answered. */
  latestEnd: Time = Number.NEGATIVE_INFINITY
  /** How many there ever were: the latest stands at (count - 1) modulo the room. */
  private count = 0

  /** `head`: of its name. */
  add(t: Transaction, head: number, by: Step | null, base: string): void {
    if (this.count === this.room && this.room < REMEMBERED) this.enlarge()
    const at = this.count++ & (this.room - 1)
    const { numbers } = this
    numbers[at * COLUMNS + QNAME] = t.qname
    numbers[at * COLUMNS + HEAD] = head
    numbers[at * COLUMNS + ASKED] = t.asked
    numbers[at * COLUMNS + FLAGS] = t.queryFlags
    numbers[at * COLUMNS + EDNS] = t.edns
    numbers[at * COLUMNS + END] = t.end
    numbers[at * COLUMNS + RCODE] = t.state === ANSWERED ? t.rcode : t.state === UNSEEN ? NXDOMAIN : NONE
    this.latestStart = t.start
    if (t.end > this.latestEnd) this.latestEnd = t.end
    this.by[at] = by
    this.base[at] = base
  }

  qnameAt(at: number): NameId {
    return this.numbers[at * COLUMNS + QNAME]
  }

  askedAt(at: number): AddressId {
    return this.numbers[at * COLUMNS + ASKED]
  }

  endAt(at: number): Time {
    return this.numbers[at * COLUMNS + END]
  }

  /** The step that led to it; null where it may begin a walk. */
  byAt(at: number): Step | null {
    return this.by[at]
  }

  /** The base of that step. */
  baseAt(at: number): string {
    return this.base[at]
  }

  /** Its query had the header flags and OPT of that one. */
  isLike(at: number, t: Transaction): boolean {
    return this.numbers[at * COLUMNS + FLAGS] === t.queryFlags && this.numbers[at * COLUMNS + EDNS] === t.edns
  }

  /** The name, or one family of it, was said not to be there; errors and silence are waited out or tried again, and say nothing. */
  isDenied(at: number): boolean {
    const rcode = this.numbers[at * COLUMNS + RCODE]
    return rcode === NXDOMAIN || rcode === NOERROR
  }

  /** Takes back that a name has no records of one family, if that was learned since then: the other family has some. */
  forgetNodata(qname: NameId, since: Time): void {
    for (let i = this.count - 1; i >= 0 && i >= this.count - this.room; i--) {
      const at = i & (this.room - 1)
      if (this.endAt(at) < since) return
      if (this.qnameAt(at) !== qname || this.numbers[at * COLUMNS + RCODE] !== NOERROR) continue
      this.numbers[at * COLUMNS + QNAME] = NONE
      this.numbers[at * COLUMNS + HEAD] = NONE
    }
  }

  /** The latest of names with that first label, before `than` (a place, or NONE for the very latest); NONE without. */
  latest(head: number, than = NONE): number {
    let i = this.count - 1
    if (than !== NONE) i -= (i - than) & (this.room - 1)
    for (i = than === NONE ? i : i - 1; i >= 0 && i >= this.count - this.room; i--) {
      const at = i & (this.room - 1)
      if (this.numbers[at * COLUMNS + HEAD] === head) return at
    }
    return NONE
  }

  /** True where nothing that was answered since then has been overwritten. */
  reachesBack(since: Time): boolean {
    return this.count <= this.room || this.endAt(this.count & (this.room - 1)) < since
  }

  has(isIt: (qname: NameId) => boolean): boolean {
    for (let i = this.count - 1; i >= 0 && i >= this.count - this.room; i--) {
      const qname = this.qnameAt(i & (this.room - 1))
      if (qname !== NONE && isIt(qname)) return true
    }
    return false
  }

  /** Nothing was overwritten yet, so everything stays in its place. */
  private enlarge(): void {
    const { numbers, by, base } = this
    this.room *= 2
    this.numbers = newNumbers(this.room)
    for (let i = 0; i < numbers.length; i++) this.numbers[i] = numbers[i]
    this.by = [...by, ...new Array<Step | null>(by.length).fill(null)]
    this.base = [...base, ...new Array<string>(base.length).fill('')]
  }
}

/** With NaN in them, so that numbers stand there as they are; it is no first label's number. */
const newNumbers = (room: number): number[] => new Array<number>(room * COLUMNS).fill(Number.NaN)
