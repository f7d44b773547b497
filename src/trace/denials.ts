/** A client's latest negative answers, whose continuation may come: the next candidate of a walk. A ring in columns, as every query asks. */
import { type NameId, NONE } from '../model.ts'
import type { Transaction } from './transaction.ts'

/** How many are remembered, and for how many there is room at first, as most clients have few; powers of two. */
const REMEMBERED = 64
const FIRST_ROOM = 4

/** `Step`: what searchlist.ts knows of the step that led to a denied name. */
export class Denials<Step> {
  qname = new Int32Array(FIRST_ROOM).fill(NONE)
  end = new Float64Array(FIRST_ROOM)
  /** The step that led to it, and its base; null where it may begin a walk. */
  readonly by: (Step | null)[] = []
  readonly base: string[] = []
  asked = new Int32Array(FIRST_ROOM)
  /** Header flags and OPT of its query. */
  flags = new Int32Array(FIRST_ROOM)
  edns = new Int32Array(FIRST_ROOM)
  private head = new Int32Array(FIRST_ROOM)
  private room = FIRST_ROOM
  /** How many there ever were: the latest stands at (count - 1) modulo the room. */
  private count = 0

  /** `head`: of its name. */
  add(t: Transaction, head: number, by: Step | null, base: string): void {
    if (this.count === this.room && this.room < REMEMBERED) this.enlarge()
    const at = this.count++ & (this.room - 1)
    this.qname[at] = t.qname
    this.head[at] = head
    this.asked[at] = t.asked
    this.flags[at] = t.queryFlags
    this.edns[at] = t.edns
    this.end[at] = t.end
    this.by[at] = by
    this.base[at] = base
  }

  /** The latest of names with that first label, before `than` (a place, or NONE for the very latest); NONE without. */
  latest(head: number, than = NONE): number {
    let i = this.count - 1
    if (than !== NONE) i -= (i - than) & (this.room - 1)
    for (i = than === NONE ? i : i - 1; i >= 0 && i >= this.count - this.room; i--) {
      const at = i & (this.room - 1)
      if (this.head[at] === head) return at
    }
    return NONE
  }

  has(isIt: (qname: NameId) => boolean): boolean {
    for (let i = this.count - 1; i >= 0 && i >= this.count - this.room; i--)
      if (isIt(this.qname[i & (this.room - 1)])) return true
    return false
  }

  /** Nothing was overwritten yet, so everything stays in its place. */
  private enlarge(): void {
    this.room *= 2
    this.qname = enlarged(this.qname, new Int32Array(this.room).fill(NONE))
    this.end = enlarged(this.end, new Float64Array(this.room))
    this.asked = enlarged(this.asked, new Int32Array(this.room))
    this.flags = enlarged(this.flags, new Int32Array(this.room))
    this.edns = enlarged(this.edns, new Int32Array(this.room))
    this.head = enlarged(this.head, new Int32Array(this.room))
  }
}

function enlarged<Column extends Int32Array | Float64Array>(old: Column, larger: Column): Column {
  larger.set(old)
  return larger
}
