/**
 * Answers that the capture alone lost: what the stub did next shows that it had them. Who waits for an answer in vain asks again when its
 * timer fires, and goes on to the next candidate no sooner.
 */
import type { Time } from '../model.ts'
import type { Candidate, Lookup } from './lookup.ts'
import type { Resolver } from './resolvers.ts'
import { STEP_GAP } from './timers.ts'
import { CAPTURE_ENDED, type Transaction, UNSEEN } from './transaction.ts'

/** A starved pod asks again this late. */
const REPEAT_SLACK: Time = 1e9
/** The longest timeout of resolvers whose timers change (c-ares). */
const LONGEST_TIMEOUT: Time = 5e9

/** Marks the queries of a lookup that were answered unseen. `timeout`: the stub's; nothing is known of later than `seen`. */
export function markUnseen({ candidates }: Lookup, resolver: Resolver, timeout: Time | null, seen: Time): void {
  for (let i = 0; i < candidates.length; i++) {
    const { transactions } = candidates[i]
    const next = i + 1 < candidates.length ? candidates[i + 1].transactions[0] : null
    for (const t of transactions) {
      if (
        t.state === UNSEEN ||
        !Number.isNaN(t.end) ||
        transactions.some(x => x.qtype === t.qtype && !Number.isNaN(x.end))
      )
        continue
      if (next) {
        if (wentOn(t, next, transactions)) t.state = UNSEEN
      } else if (isToBeRepeated(t, candidates[i], resolver)) {
        const again = repeatedAfter(resolver, timeout ?? LONGEST_TIMEOUT)
        t.state = seen > t.lastQuery + again + REPEAT_SLACK ? UNSEEN : CAPTURE_ENDED
      }
    }
  }
}

/** The walk went on at once: no timer is as short. What asks for all candidates together from one port (BusyBox) waits for none of them. */
const wentOn = (t: Transaction, next: Transaction, legs: readonly Transaction[]): boolean =>
  next.start - t.lastQuery < STEP_GAP && (next.clientPort !== t.clientPort || legs.some(x => x.end <= next.start))

const repeatedAfter = ({ timeoutIsTotal }: Resolver, timeout: Time): Time => (timeoutIsTotal ? timeout / 2 : timeout)

/**
 * Who waits for it asks again, which was not seen. Of a candidate without any answer it may be the last try, and glibc that asks one leg
 * after the other makes do with what the first brought when it has waited for the second.
 */
function isToBeRepeated(t: Transaction, candidate: Candidate, resolver: Resolver): boolean {
  if (resolver.tries === null || resolver.tries < 2) return false
  const others = candidate.transactions.filter(x => x !== t)
  if (t.retransmissions > 0 || others.some(x => x.qtype === t.qtype || x.end <= t.start)) return false
  return candidate.lone !== null || others.some(x => !Number.isNaN(x.end))
}
