/** A client's latest negative answers, whose continuation may come: the next candidate of a walk. A ring in columns, as every query asks. */
import { type NameId, NONE } from '../model.ts'
import type { Transaction } from './transaction.ts'

/** How many are remembered; a power of two. */
const REMEMBERED = 64

/** `Step`: what searchlist.ts knows of the step that led to a denied name. */
export class Denials<Step> {
  readonly qname = new Int32Array(REMEMBERED).fill(NONE)
  readonly end = new Float64Array(REMEMBERED)
  /** The step that led to it, and its base; null where it may begin a walk. */
  readonly by = new Array<Step | null>(REMEMBERED).fill(null)
  readonly base = new Array<string>(REMEMBERED).fill('')
  readonly asked = new Int32Array(REMEMBERED)
  /** Header flags and OPT of its query. */
  readonly flags = new Int32Array(REMEMBERED)
  readonly edns = new Int32Array(REMEMBERED)
  private readonly head = new Int32Array(REMEMBERED)
  /** How many there ever were: the latest stands at (count - 1) modulo REMEMBERED. */
  private count = 0

  /** `head`: of its name. */
  add(t: Transaction, head: number, by: Step | null, base: string): void {
    const at = this.count++ & (REMEMBERED - 1)
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
    if (than !== NONE) i -= (i - than) & (REMEMBERED - 1)
    for (i = than === NONE ? i : i - 1; i >= 0 && i >= this.count - REMEMBERED; i--) {
      const at = i & (REMEMBERED - 1)
      if (this.head[at] === head) return at
    }
    return NONE
  }

  has(isIt: (qname: NameId) => boolean): boolean {
    for (let i = this.count - 1; i >= 0 && i >= this.count - REMEMBERED; i--)
      if (isIt(this.qname[i & (REMEMBERED - 1)])) return true
    return false
  }
}
