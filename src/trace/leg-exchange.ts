/**
 * Equal lookups of one client at once, by a resolver that gives each leg a socket of its own (Go): nothing tells which A belongs to which AAAA,
 * until one of them goes on. Who goes on has both its legs answered, so where none has, two have exchanged theirs.
 */
import type { Time } from '../model.ts'
import { endedBy } from './candidate.ts'
import type { Candidate, Lookup } from './lookup.ts'
import { LEG_GAP, STEP_GAP } from './timers.ts'
import type { Transaction } from './transaction.ts'

/** The place of the leg of a candidate that was answered by then, where the other one was not, and each has its own port; -1 without. */
function answeredAlone({ transactions, lone }: Candidate, time: Time): number {
  if (transactions.length !== 2 || lone !== null) return -1
  const [a, b] = transactions
  if (a.qtype === b.qtype || a.clientPort === b.clientPort || endedBy(a, time) === endedBy(b, time)) return -1
  return endedBy(a, time) ? 0 : 1
}

const lastOf = ({ candidates }: Lookup): Candidate => candidates[candidates.length - 1]

/**
 * Gives one of the open lookups the answered legs of two, and the other one those that were not answered by then. Of several the one whose
 * last answer came last before `time`. Returns it; null where there are no such two.
 */
export function exchangeLegs(lookups: readonly Lookup[], time: Time): Lookup | null {
  let best: [Lookup, number, Lookup, number] | null = null
  let latest = time - STEP_GAP
  for (let i = 0; i < lookups.length; i++) {
    const one = lastOf(lookups[i])
    const at = answeredAlone(one, time)
    if (at < 0) continue
    for (let k = i + 1; k < lookups.length; k++) {
      const other = lastOf(lookups[k])
      const otherAt = other.qname === one.qname ? answeredAlone(other, time) : -1
      if (otherAt < 0) continue
      const [a, b] = [one.transactions[at], other.transactions[otherAt]]
      const [left, right] = [one.transactions[1 - at], other.transactions[1 - otherAt]]
      if (a.qtype === b.qtype || !areNear(a, b) || !areNear(left, right)) continue
      const end = Math.max(a.end, b.end)
      if (end <= latest) continue
      latest = end
      best = [lookups[i], at, lookups[k], otherAt]
    }
  }
  if (best === null) return null
  const [first, at, second, otherAt] = best
  exchange(first, 1 - at, second, otherAt)
  return first
}

const areNear = (a: Transaction, b: Transaction): boolean => Math.abs(a.start - b.start) <= LEG_GAP

function exchange(first: Lookup, at: number, second: Lookup, otherAt: number): void {
  const [one, other] = [lastOf(first).transactions, lastOf(second).transactions]
  const [a, b] = [one[at], other[otherAt]]
  one[at] = b
  other[otherAt] = a
  b.lookup = first.number
  a.lookup = second.number
  for (const legs of [one, other]) if (legs[0].start > legs[1].start) legs.reverse()
  first.closesAt = second.closesAt = Number.NaN
}
