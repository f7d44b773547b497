/**
 * What a lookup came to: its deciding candidate, its outcome as the resolver reports it, and how long the application
 * waited, the stub's own last timer included. Definitions: "The numbers" in ARCHITECTURE.md.
 */
import { A, AAAA, NOERROR, TC } from '../codes.ts'
import { CONTENT_CUT, HAS_ASKED_TYPE, type Outcome, TCP, type Time } from '../model.ts'
import { errorOnSocket, isTorn } from './candidate.ts'
import { endsCutShort, isAnyCutShort, isRepeatedOverTcp } from './cut-short.ts'
import { failureTold } from './failure.ts'
import type { Candidate, Lookup } from './lookup.ts'
import { outcomeOfRcode } from './rcode-outcome.ts'
import type { Resolver } from './resolvers.ts'
import { LEG_GAP, SHORTEST_TIMEOUT } from './timers.ts'
import {
  ANSWERED,
  CAPTURE_ENDED,
  isDenied,
  isFinal,
  isUntold,
  OPEN,
  type Transaction,
  UNREACHED,
  UNSEEN,
} from './transaction.ts'
import { markUnseen } from './unseen.ts'

/** What came of one transaction. */
export function outcomeOf(t: Transaction): Outcome {
  if (t.state === CAPTURE_ENDED || t.state === OPEN) return 'capture-ended'
  if (t.state === UNSEEN) return 'not-captured'
  if (t.state === UNREACHED) return 'unreachable'
  if (t.state !== ANSWERED) return 'unanswered'
  if (t.rcode !== NOERROR) return outcomeOfRcode(t.rcode)
  if (hasAnswer(t)) return 'answered'
  return t.responseFlags & TC ? 'truncated' : 'nodata'
}

/** Records of the type that was asked. Where the capture cut the answers off, their count in the header must do. */
export const hasAnswer = (t: Transaction): boolean =>
  (t.qtype === A || t.qtype === AAAA ? t.addresses > 0 : (t.content & HAS_ASKED_TYPE) !== 0 || t.qtype === 255) ||
  (t.answerCount > 0 && (t.content & CONTENT_CUT) !== 0)

/** Place in LEG_RANK of the outcome of one leg: of its tries, the one that the stub could use. */
function legRank({ transactions }: Candidate, qtype: number, resolver: Resolver): number {
  const taken = resolver.needsBothLegs ? firstTaken(transactions, qtype) : null
  if (taken !== null) return RANK_OF[outcomeOf(taken)]
  let best = -1
  for (const t of transactions) {
    if (t.qtype !== qtype) continue
    if (t.responseFlags & TC && isRepeatedOverTcp(transactions, t)) continue
    const rank = t.cameTooLate || isInVain(t, transactions) ? RANK_OF.unanswered : RANK_OF[outcomeOf(t)]
    if (rank >= best) best = rank
  }
  return best < 0 ? RANK_OF.unanswered : best
}

/** Not all of its fragments are here, and the client asked again when its timer ended: it had not all either. */
const isInVain = (t: Transaction, transactions: readonly Transaction[]): boolean =>
  isTorn(t) && transactions.some(x => x.qtype === t.qtype && Math.abs(x.start - t.start) >= SHORTEST_TIMEOUT)

/** musl asks all servers at once, and takes what says first that there is such a name, or none; null where a single one was asked. */
function firstTaken(transactions: readonly Transaction[], qtype: number): Transaction | null {
  let first: Transaction | null = null
  let n = 0
  for (const t of transactions) {
    if (t.qtype !== qtype || t.transport === TCP) continue
    n++
    if (t.state !== ANSWERED || !isFinal(t)) continue
    if (first === null || t.end < first.end) first = t
  }
  return n > 1 ? first : null
}

/** What several tries came to: the outcome that stands last here. */
const LEG_RANK: readonly Outcome[] = [
  'not-captured',
  'capture-ended',
  'unanswered',
  'unreachable',
  'other',
  'refused',
  'servfail',
  'truncated',
  'nodata',
  'nxdomain',
  'answered',
]
const RANK_OF = Object.fromEntries(LEG_RANK.map((outcome, rank) => [outcome, rank])) as Record<Outcome, number>

/** The outcome of a candidate is the first of these that one of its legs has, ... */
const ANY_LEG: readonly Outcome[] = [
  'answered',
  'nodata',
  'nxdomain',
  'servfail',
  'refused',
  'capture-ended',
  'unanswered',
]
/**
 * Where both must have been answered (musl) the first of these that A has ends it, or else AAAA: an error or silence, or that there is no such
 * name. What was truncated has what stands in it, which is mostly nothing. https://git.musl-libc.org/cgit/musl/tree/src/network/lookup_name.c
 */
const ENDS_BOTH: readonly Outcome[] = [
  'nxdomain',
  'servfail',
  'refused',
  'other',
  'unanswered',
  'unreachable',
  'capture-ended',
]

function outcomeOfBoth(candidate: Candidate, resolver: Resolver): Outcome | null {
  const { transactions, lone } = candidate
  for (const qtype of [A, AAAA]) {
    const legs = transactions.filter(t => t.qtype === qtype)
    const outcome = legs.some(isSeen)
      ? LEG_RANK[legRank(candidate, qtype, resolver)]
      : legs.length === 0
        ? lone?.outcome
        : undefined
    if (outcome !== undefined && ENDS_BOTH.includes(outcome)) return asLookupOutcome(outcome)
  }
  return null
}

/** What the resolver makes of a candidate's legs; of one whose answer is unseen, nobody knows. `leftOut`: TCP was not captured. */
function candidateOutcome(candidate: Candidate, resolver: Resolver, leftOut: boolean): Outcome {
  const { transactions } = candidate
  const isUnseen = !transactions.some(isSeen)
  /** Bit n: a leg has the outcome LEG_RANK[n]. */
  let has = 0
  let legs = 0
  let first = 0
  for (let i = 0; i < transactions.length; i++) {
    const { qtype } = transactions[i]
    if (isAmong(transactions, i, qtype) || (!isUnseen && !isSeen(transactions[i]))) continue
    const rank = legRank(candidate, qtype, resolver)
    has |= 1 << rank
    if (legs++ === 0) first = rank
  }
  if (candidate.lone !== null) {
    has |= 1 << RANK_OF[candidate.lone.outcome]
    legs++
  }
  if (leftOut && !(has & (1 << RANK_OF.answered)) && isAnyCutShort(transactions)) return 'not-captured'
  if (resolver.needsBothLegs && legs > 1) {
    const outcome = outcomeOfBoth(candidate, resolver)
    if (outcome !== null) return outcome
  }
  // It takes what stands in it, which is nothing.
  if (!resolver.overTcp && has & (1 << RANK_OF.truncated)) has |= 1 << RANK_OF.nodata
  if (resolver.failsAtSilence && has & (1 << RANK_OF.unanswered) && !(has & (1 << RANK_OF.answered)))
    return 'unanswered'
  for (const outcome of ANY_LEG) {
    if ((has & (1 << RANK_OF[outcome])) === 0) continue
    // The other leg may have had an address.
    if (outcome !== 'nodata' || !transactions.some(isUntold)) return outcome
    return transactions.every(isSeen) ? 'capture-ended' : 'not-captured'
  }
  return asLookupOutcome(LEG_RANK[first])
}

const isSeen = (t: Transaction): boolean => t.state !== UNSEEN

/** True if one of the first `n` has that type. */
function isAmong(transactions: Transaction[], n: number, qtype: number): boolean {
  for (let i = 0; i < n; i++) if (transactions[i].qtype === qtype) return true
  return false
}

/** A lookup has no "unreachable": the socket says "connection refused". */
const asLookupOutcome = (outcome: Outcome): Outcome =>
  outcome === 'unreachable' ? 'refused' : outcome === 'truncated' ? 'other' : outcome

// -- Deciding candidate, outcome, wait -------------------------------------------------------------------------------------------------

/** What is known of a lookup beside its packets. */
export interface Circumstances {
  resolver: Resolver
  /** Its client's timeout, where this lookup does not show it; null where it is not known. */
  usual: Time | null
  /** Nothing is known of later. */
  seen: Time
  /** The capture holds nothing of DNS over TCP. */
  withoutTcp: boolean
}

/**
 * Sets outcome, deciding, end, wait and waitInferred, and marks what was answered unseen (unseen.ts). The name is known. Returns the timeout
 * that it shows; null without.
 */
export function decide(lookup: Lookup, { resolver, usual, seen, withoutTcp }: Circumstances): Time | null {
  /** What was cut for UDP it asked for again, and that was not captured. */
  const leftOut = withoutTcp && resolver.overTcp
  // Nearly every lookup has all its answers, and nothing of this is asked for then.
  const end = endWithoutTimers(lookup)
  const shown = Number.isNaN(end) ? timeoutShown(lookup, resolver) : null
  const timeout = Number.isNaN(end) ? (shown ?? usual) : null
  if (Number.isNaN(end)) markUnseen(lookup, resolver, timeout, seen)
  const outcomes = lookup.candidates.map(c => candidateOutcome(c, resolver, leftOut))
  lookup.outcomes = outcomes
  const positive = outcomes.indexOf('answered')
  const last = outcomes.length - 1
  const stopped = last >= 0 && stops(outcomes[last], resolver) ? last : -1
  const asIs = lookup.suffixes.lastIndexOf(null)
  // Nothing was asked after it, so it may be what was found.
  const unseen = outcomes[last] === 'not-captured' ? last : -1
  lookup.deciding = positive >= 0 ? positive : stopped >= 0 ? stopped : unseen >= 0 ? unseen : asIs >= 0 ? asIs : last
  lookup.outcome = outcomes[lookup.deciding]
  if (positive < 0 && unseen < 0) lookup.outcome = failureTold(lookup, resolver) ?? lookup.outcome
  if (Number.isNaN(end)) setWait(lookup, resolver, timeout, seen)
  else {
    lookup.end = end
    lookup.wait = lookup.candidates[0].transactions[0].withoutQuery ? Number.NaN : end - lookup.start
  }
  if (leftOut && endsCutShort(lookup)) lookup.end = lookup.wait = Number.NaN
  return shown
}

const stops = (outcome: Outcome, resolver: Resolver): boolean =>
  (outcome === 'nodata' && resolver.stopsAtNodata) ||
  (outcome === 'servfail' && resolver.stopsAtServfail) ||
  (outcome === 'unanswered' && resolver.afterSilence === 'stop')

/**
 * Leaves of a lookup of which something is missing only what was seen: that it was answered, or else nothing; and nobody knows when it
 * began, or what it was asked before.
 */
export function tellLess(lookup: Lookup): void {
  lookup.partial = true
  lookup.wait = Number.NaN
  lookup.waitInferred = false
  if (lookup.outcome === 'answered') return
  lookup.outcome = 'not-captured'
  lookup.end = Number.NaN
}

function setWait(lookup: Lookup, resolver: Resolver, timeout: Time | null, seen: Time): void {
  let end = Number.NaN
  for (const candidate of lookup.candidates) {
    if (candidate.lone !== null && !(candidate.lone.time <= end)) end = candidate.lone.time
    for (const t of candidate.transactions) {
      if (Number.isNaN(t.end) || isLateCopy(t, candidate) || isTooLate(t, candidate, resolver, timeout)) continue
      if (Number.isNaN(end) || t.end > end) end = t.end
    }
  }
  if (lookup.candidates.every(c => c.transactions.every(isDenied))) end = Number.NaN
  // It ended with silence, and nobody knows the timer.
  if (timeout === null && lookup.outcome === 'unanswered') end = Number.NaN
  lookup.end = end
  if (lookup.candidates[0].transactions[0].withoutQuery) return
  lookup.wait = end - lookup.start
  const silentUntil = timerOf(lookup.candidates[lookup.candidates.length - 1], resolver, timeout)
  if (silentUntil === null || silentUntil <= end) return
  if (silentUntil > seen && triesOf(lookup.candidates[lookup.candidates.length - 1]) < (resolver.tries ?? 1)) {
    // It would have asked again when the capture had ended.
    if (lookup.outcome === 'unanswered') lookup.outcome = 'capture-ended'
    return
  }
  lookup.wait = silentUntil - lookup.start
  lookup.waitInferred = true
}

/**
 * The last response of a lookup of which each leg was asked once and answered before any timer could matter: nearly all. NaN for any
 * other.
 */
function endWithoutTimers({ candidates }: Lookup): Time {
  let end = Number.NEGATIVE_INFINITY
  for (const { transactions, lone } of candidates) {
    const first = transactions[0]
    if (lone !== null && lone.time > end) end = lone.time
    if (transactions.length > 2 || (transactions.length === 2 && transactions[1].qtype === first.qtype))
      return Number.NaN
    for (const t of transactions) {
      if (t.state !== ANSWERED || t.cameTooLate || !isFinal(t)) return Number.NaN
      if (!(t.end - first.start <= MIN_TIMEOUT)) return Number.NaN
      if (t.end > end) end = t.end
    }
  }
  return end
}

/** musl takes the first of its servers' answers; the others come when nobody waits any more. */
function isLateCopy(t: Transaction, candidate: Candidate): boolean {
  return candidate.transactions.some(
    x =>
      x !== t &&
      x.qtype === t.qtype &&
      x.dnsId === t.dnsId &&
      x.asked !== t.asked &&
      x.end < t.end &&
      x.state === ANSWERED &&
      isFinal(x),
  )
}

/** Beyond its timer by this much an answer comes when nobody waits any more: the clocks of timer and capture are not the same. */
const TIMER_SLACK: Time = 20e6

/** The response came after the stub had given up. */
function isTooLate(t: Transaction, candidate: Candidate, resolver: Resolver, timeout: Time | null): boolean {
  if (t.cameTooLate) return true
  if (timeout === null || Number.isNaN(t.end)) return false
  const since = resolver.timeoutIsTotal ? candidate.transactions[0].start : t.lastQuery
  return t.end > since + timeout + TIMER_SLACK
}

/** When the stub stopped waiting for a leg that never came, or came too late; null where every leg came or the timer is not known. */
function timerOf(candidate: Candidate, resolver: Resolver, timeout: Time | null): Time | null {
  if (timeout === null) return null
  let until: Time | null = null
  for (const t of candidate.transactions) {
    if (isUntold(t) || !isWaitedFor(t, candidate, resolver, timeout)) continue
    let at = (resolver.timeoutIsTotal ? candidate.transactions[0].start : roundStart(t, candidate)) + timeout
    if (t.cameTooLate && at > t.end) {
      // It gave up before its timer: its other leg was enough for it, or the program has a timer of its own.
      if (candidate.transactions.some(x => !x.cameTooLate && !Number.isNaN(x.end))) continue
      at = t.end
    }
    if (until === null || at > until) until = at
  }
  return until
}

/** How often the leg was asked that was asked most often. */
function triesOf({ transactions }: Candidate): number {
  let most = 0
  for (const { qtype } of transactions) {
    let tries = 0
    for (const t of transactions) if (t.qtype === qtype) tries += 1 + t.retransmissions
    if (tries > most) most = tries
  }
  return most
}

/** True if the stub's timer ended its wait for this leg, no message. */
function isWaitedFor(t: Transaction, candidate: Candidate, resolver: Resolver, timeout: Time): boolean {
  const usable = (x: Transaction): boolean => {
    if (Number.isNaN(x.end) || isTooLate(x, candidate, resolver, timeout)) return false
    return !resolver.timeoutIsTotal || (x.state === ANSWERED && isFinal(x))
  }
  if (usable(t) || (!resolver.timeoutIsTotal && errorOnSocket(candidate, t) !== null)) return false
  // The first of several servers may have answered before the copy to the last one leaves.
  const isIts = (x: Transaction): boolean => resolver.timeoutIsTotal || x.end >= t.start
  return !candidate.transactions.some(x => x !== t && x.qtype === t.qtype && usable(x) && isIts(x))
}

/** glibc that has lost a leg asks one after the other, and its timer runs from the first of the two. */
function roundStart(t: Transaction, candidate: Candidate): Time {
  for (const x of candidate.transactions) {
    const before = t.lastQuery - x.end
    if (x.qtype !== t.qtype && before >= 0 && before < 5e6) return x.lastQuery
  }
  return t.lastQuery
}

/**
 * The client's own timeout where it was seen to act on it (options timeout:n): it repeated a query after silence, or went on with the
 * next candidate. One that counts for all tries is at least as long as these took and one more.
 */
function timeoutShown(lookup: Lookup, resolver: Resolver): Time | null {
  if (resolver.timeout === null) return null
  const seen: Time[] = []
  let repeated: Time = 0
  lookup.candidates.forEach(({ transactions }, i) => {
    for (const t of transactions) {
      const times = [t.start, ...(t.resent ?? [])]
      repeated = Math.max(repeated, times[times.length - 1] - transactions[0].start)
      for (let k = 1; k < times.length; k++) seen.push(times[k] - times[k - 1])
      const before = transactions.filter(
        x => x.qtype === t.qtype && x.start < t.start && (resolver.timeoutIsTotal || !(x.end < t.start)),
      )
      if (before.length > 0) seen.push(t.start - before[before.length - 1].lastQuery)
    }
    const next = lookup.candidates[i + 1]
    const silent = transactions.filter(t => Number.isNaN(t.end) || t.end > next?.transactions[0].start)
    if (!next || silent.length === 0) return
    // Legs that were sent together and asked once are waited for together (attempts:1).
    const together = silent.length === 2 && silent.length === transactions.length && areTogether(silent)
    if (silent.length === 1 || together)
      seen.push(next.transactions[0].start - roundStart(silent[silent.length - 1], lookup.candidates[i]))
  })
  const timers = seen.filter(interval => interval >= MIN_TIMEOUT)
  if (timers.length === 0) return null
  const shortest = Math.min(...timers)
  return resolver.timeoutIsTotal ? Math.max(2 * shortest, repeated + shortest) : shortest
}

const areTogether = ([first, second]: readonly Transaction[]): boolean =>
  first.retransmissions + second.retransmissions === 0 && second.start - first.start < LEG_GAP

/** Copies to several servers, and retries after an error, follow sooner than any timer. */
const MIN_TIMEOUT: Time = 0.2e9
