/**
 * Answers that the capture alone lost: what the stub did next shows that it had them. Who waits for an answer in vain asks again when its
 * timer fires, and goes on to the next candidate no sooner.
 */
import type { Time } from '../model.ts'
import type { Candidate, Lookup } from './lookup.ts'
import type { Resolver } from './resolvers.ts'
import type { Transaction } from './transaction.ts'

/** A starved pod asks again this late. */
const REPEAT_SLACK: Time = 1e9
/** No timer is as short as what lies between an answer and the next candidate. */
const STEP_GAP: Time = 50e6

export const NOTHING_UNSEEN: ReadonlySet<Transaction> = new Set()

/** The queries of a lookup that were answered without the capture's notice. `timeout`: the stub's; nothing is known of later than `seen`. */
export function unseenAnswers(
  { candidates }: Lookup,
  resolver: Resolver,
  timeout: Time | null,
  seen: Time,
): ReadonlySet<Transaction> {
  let unseen: Set<Transaction> | null = null
  for (let i = 0; i < candidates.length; i++) {
    const next = i + 1 < candidates.length ? candidates[i + 1].transactions[0] : null
    for (const t of candidates[i].transactions) {
      if (!Number.isNaN(t.end)) continue
      const isUnseen = next
        ? next.start - t.lastQuery < STEP_GAP
        : timeout !== null && isNotRepeated(t, candidates[i], resolver, timeout, seen)
      if (isUnseen) unseen = (unseen ?? new Set()).add(t)
    }
  }
  return unseen ?? NOTHING_UNSEEN
}

/**
 * It should have been asked again, and was not. Of a candidate without any answer it may be the last try, and glibc that asks one leg
 * after the other makes do with what the first brought when it has waited for the second.
 */
function isNotRepeated(t: Transaction, candidate: Candidate, resolver: Resolver, timeout: Time, seen: Time): boolean {
  const again = resolver.timeoutIsTotal ? timeout / 2 : timeout
  if (resolver.tries === null || resolver.tries < 2 || !(seen > t.lastQuery + again + REPEAT_SLACK)) return false
  const others = candidate.transactions.filter(x => x !== t)
  if (t.retransmissions > 0 || others.some(x => x.qtype === t.qtype || x.end <= t.start)) return false
  return others.some(x => !Number.isNaN(x.end))
}
