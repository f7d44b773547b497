/**
 * How a transaction fits the candidate whose name it asks for again: the other leg, a retry, a copy to another server, TCP after truncation.
 * Comments name the grouping rules of ARCHITECTURE.md where they decide.
 */
import { NOERROR, NXDOMAIN } from '../codes.ts'
import { TCP, type Time } from '../model.ts'
import {
  endedBy,
  hasOtherId,
  hasOtherIdAtPort,
  hasOtherTypeAtPort,
  hasTcpSince,
  isError,
  isFamily,
  isLarge,
  isPositive,
  isTorn,
  isTruncated,
  lastQueryBefore,
  latest,
  latestSilent,
  SLACK,
  sameProfile,
  settledAt,
} from './candidate.ts'
import {
  ALIKE,
  BY_MOMENT,
  BY_TIMER,
  CERTAIN,
  fitsNot,
  IN_TURN,
  joins,
  LACKING,
  LAST_RESORT,
  LATE,
  NEAR,
  TIED,
} from './fit.ts'
import type { Candidate, Lookup } from './lookup.ts'
import type { SearchKnowledge } from './search-knowledge.ts'
import { behind, endsWithSuffix } from './suffix.ts'
import {
  FAN_OUT_GAP,
  isPunctual,
  isTimer,
  isWholeSeconds,
  LATE_ANSWER,
  LEG_GAP,
  LONGEST_TIMER,
  RESTART_GAP,
  SEQUENTIAL_GAP,
  STEP_GAP,
  THROTTLED,
} from './timers.ts'
import { type Transaction, UNSEEN } from './transaction.ts'

/** Queries for one candidate: five attempts at three servers for two families are 30. */
const MOST_TRIES = 64
/** c-ares sends its copy to a failed server in the same moment. */
const PROBE_GAP: Time = 1e6

/** The same name again: the other leg, a retry, a copy to another server, TCP after truncation. */
export function fitSameName(lookup: Lookup, candidate: Candidate, t: Transaction, knowledge: SearchKnowledge): number {
  const all = candidate.transactions
  if (all.length >= MOST_TRIES) return fitsNot()
  const twin = latest(all, t.qtype)
  if (!twin) return fitOtherLeg(lookup, candidate, t, knowledge)
  return endedBy(twin, t.start)
    ? fitAnsweredTwin(lookup, candidate, twin, t, knowledge)
    : fitOpenTwin(candidate, twin, t)
}

/** A type that this candidate was not asked for yet. */
function fitOtherLeg(lookup: Lookup, candidate: Candidate, t: Transaction, knowledge: SearchKnowledge): number {
  const all = candidate.transactions
  const last = all[all.length - 1]
  if (!isFamily(t.qtype) && !isFamily(last.qtype)) return fitsNot()
  const parallel = t.start - all[0].start
  const samePort = hasOtherIdAtPort(all, t)
  // L1: both at once.
  if (samePort && parallel <= (t.withoutQuery ? LATE_ANSWER : LEG_GAP + knowledge.lag))
    return joins(candidate, CERTAIN, parallel)
  // L1, K6a: before another walk goes on with it, the one that sends both at once, from two ports, has its second; of several the first to
  // send.
  if (parallel <= SEQUENTIAL_GAP && hasPortPerLeg(lookup) && sameProfile(all[0], t))
    return joins(candidate, TIED, SEQUENTIAL_GAP - parallel)
  // L2: a sequential leg, on the same port (single-request), or from a new one (single-request-reopen, host, nslookup).
  if (!Number.isNaN(last.end) && last.end <= t.start + SLACK && t.start - last.end <= SEQUENTIAL_GAP + knowledge.lag)
    return joins(candidate, samePort ? TIED : ALIKE, t.start - last.end)
  // L2: a busy machine is late with it; another program would have to be started first.
  if (last.rcode === NOERROR && last.end <= t.start && t.start - last.end <= RESTART_GAP && sameProfile(all[0], t))
    return joins(candidate, LACKING, t.start - last.end)
  // L2: a starved pod.
  if (isDue(lookup, candidate, t, knowledge)) return joins(candidate, samePort ? TIED : LACKING, t.start - last.end)
  // L1: both at once, from two ports.
  const overlaps = parallel <= SEQUENTIAL_GAP || !endedBy(all[0], t.start)
  if (parallel <= LEG_GAP && overlaps && sameProfile(all[0], t)) return joins(candidate, ALIKE, LEG_GAP - parallel)
  // L4: the other leg after its partner's timer: glibc asks one after the other once it has lost one.
  const silent = latestSilent(all, t.start)
  if (silent && samePort && isTimer(t.start - lastQueryBefore(silent, t.start)))
    return joins(candidate, LACKING, parallel)
  // L4a: its first query was lost on its way here, and the client's timer sends it again.
  if (isTimer(parallel) && (isUnfinished(lookup, knowledge) || lacksLeg(lookup))) {
    if (samePort) return joins(candidate, LACKING, parallel)
    if (isPunctual(parallel) && hasPortPerLeg(lookup) && sameProfile(all[0], t)) return joins(candidate, LATE, parallel)
  }
  // L2: a pod whose processor time is used up.
  if (parallel <= THROTTLED && lacksLeg(lookup) && sameProfile(all[0], t)) return joins(candidate, NEAR, parallel)
  return fitsNot()
}

/** The same question again, while `twin`, which asked it last, waits for its answer. */
function fitOpenTwin(candidate: Candidate, twin: Transaction, t: Transaction): number {
  const all = candidate.transactions
  const last = all[all.length - 1]
  const sameTuple = twin.clientPort === t.clientPort && twin.dnsId === t.dnsId
  // L4: a copy to another server at the same time (musl), ...
  if (t.start - twin.start <= FAN_OUT_GAP && sameTuple && t.asked !== twin.asked)
    return joins(candidate, CERTAIN, t.start - twin.start)
  // ... and c-ares' to one that failed before.
  if (t.asked !== twin.asked && t.edns >= 0 && t.start - twin.start <= PROBE_GAP && sameProfile(twin, t))
    return joins(candidate, BY_TIMER, t.start - twin.start)
  const silence = t.start - lastQueryBefore(twin, t.start)
  // L4, and from here on.
  if (sameTuple) return joins(candidate, TIED, silence)
  // Its pair met an error, and both are asked again from another port.
  if (t.dnsId === twin.dnsId && hasOtherTypeAtPort(all, t, t.start - LEG_GAP)) return joins(candidate, TIED, silence)
  // Its turn after the other leg's, which was lost as well: glibc asks one after the other, each from a new port, with the ids it had.
  if (t.dnsId === twin.dnsId && t.qtype !== last.qtype && last.end <= t.start + SLACK && t.start - last.end <= STEP_GAP)
    return joins(candidate, IN_TURN, silence)
  if (t.transport === TCP && twin.transport !== TCP && t.dnsId === twin.dnsId) return joins(candidate, TIED, silence)
  // Only resolvers with a socket per query (Go) choose a new id for a retry, and those count whole seconds.
  const mayChangeId = t.dnsId === twin.dnsId || (!hasOtherTypeAtPort(all, twin) && isWholeSeconds(silence))
  if (isTimer(silence) && mayChangeId && sameProfile(twin, t)) return joins(candidate, ALIKE, silence)
  return fitsNot()
}

/** The same question again, after `twin`, which asked it last, has ended. */
function fitAnsweredTwin(
  lookup: Lookup,
  candidate: Candidate,
  twin: Transaction,
  t: Transaction,
  knowledge: SearchKnowledge,
): number {
  const all = candidate.transactions
  const gap = t.start - twin.end
  if (twin.state === UNSEEN) {
    // L5, L4: what came back nobody knows: truncated, or nothing at all.
    if (t.transport === TCP && twin.transport !== TCP && gap <= STEP_GAP) return joins(candidate, TIED, gap)
    if (t.dnsId === twin.dnsId && isTimer(t.start - twin.lastQuery) && sameProfile(twin, t))
      return joins(candidate, ALIKE, gap)
  }
  // L5
  if (isTruncated(twin) && t.transport === TCP && isFallback(twin, t, knowledge.lag))
    return joins(candidate, CERTAIN, gap)
  // L4, L4a
  if (twin.clientPort === t.clientPort && twin.dnsId === t.dnsId && gap < LONGEST_TIMER)
    return joins(candidate, TIED, gap)
  if (isUnreceived(candidate, twin, t)) {
    if (isUnfinished(lookup, knowledge) || (t.dnsId === twin.dnsId && hasOtherId(all, t)))
      return joins(candidate, ALIKE, gap)
    if (isLoneRetry(candidate, t)) return joins(candidate, LAST_RESORT, gap)
  }
  // L4: the partner of a leg that has just been asked again, on its socket.
  if (t.dnsId === twin.dnsId && hasOtherTypeAtPort(all, t, t.start - LEG_GAP)) return joins(candidate, TIED, gap)
  // L4a: not all fragments of the answer came through, and the client asks again.
  if (isTorn(twin) && t.dnsId === twin.dnsId && isTimer(t.start - twin.lastQuery) && sameProfile(twin, t))
    return joins(candidate, ALIKE, gap)
  // L6a: its partner is asked again on the same new socket: glibc asks both again when the answer was larger than its room for it.
  if (isPartnerOfRepeat(all, t)) return joins(candidate, TIED, gap)
  // L4: after an error.
  if (isError(twin) && gap <= STEP_GAP + knowledge.lag && sameProfile(twin, t))
    return joins(candidate, gap <= SEQUENTIAL_GAP + knowledge.lag ? ALIKE : BY_MOMENT, gap)
  const settled = settledAt(candidate, t.start)
  if (Number.isNaN(settled)) {
    // L6: the partner is silent, and the client repeats both after its timer.
    const silent = latestSilent(all, t.start) as Transaction
    if (t.transport === TCP && hasTcpSince(all, twin.end) && gap <= STEP_GAP) return joins(candidate, IN_TURN, gap)
    if (
      sameProfile(twin, t) &&
      isTimer(t.start - lastQueryBefore(silent, t.start)) &&
      (t.clientPort === silent.clientPort || t.dnsId === twin.dnsId)
    )
      return joins(candidate, LACKING, gap)
    return fitsNot()
  }
  const after = t.start - settled
  if (after <= STEP_GAP + knowledge.lag && after >= -SLACK) {
    // L4: after an error on either leg both may be asked again.
    if (all.some(isError)) return sameProfile(twin, t) ? joins(candidate, LACKING, after) : fitsNot()
    // L5: and so after a truncated answer.
    if (t.transport === TCP && hasFallback(all, t, knowledge.lag)) return joins(candidate, IN_TURN, after)
    if (after < FAN_OUT_GAP && isLarge(candidate)) return joins(candidate, LATE, after)
  }
  if (lookup.candidates.length > 1 && isWalkAgain(lookup, t)) return joins(candidate, LATE, 0)
  // K8: a new lookup.
  return fitsNot()
}

/**
 * A starved pod is late with its second leg: it is that all the same where the candidate before had its two legs in turn, or where a walk
 * for one family would have gone on to the next search domain instead.
 */
function isDue({ candidates }: Lookup, candidate: Candidate, t: Transaction, { list, lag }: SearchKnowledge): boolean {
  const [first] = candidate.transactions
  const gap = t.start - first.end
  if (candidate.transactions.length > 1 || !(gap >= -SLACK && gap <= STEP_GAP + lag) || !sameProfile(first, t))
    return false
  const before = candidates.length > 1 ? candidates[candidates.length - 2].transactions : null
  if (before !== null && before.length > 1 && before[0].qtype === first.qtype && before[1].start >= before[0].end)
    return true
  return first.rcode === NXDOMAIN && list.some(suffix => endsWithSuffix(candidate.name, suffix))
}

/**
 * The answer was lost between where it was captured and the client: the same question after a timer, with its id; or, of who gives each query
 * an id and a socket (Go), after whole seconds.
 */
function isUnreceived({ transactions }: Candidate, twin: Transaction, t: Transaction): boolean {
  const silence = t.start - twin.lastQuery
  if (!isTimer(silence) || twin.end - twin.lastQuery >= silence || !sameProfile(twin, t)) return false
  return t.dnsId === twin.dnsId || (isPunctual(silence) && !hasOtherTypeAtPort(transactions, twin))
}

/** One family again of a name that has an address: a lookup of its own would ask for both (grouping.ts looks whether it does). */
export function isLoneRetry(candidate: Candidate, t: Transaction): boolean {
  if (!isPositive(candidate)) return false
  let isOfTwo = false
  for (const x of candidate.transactions) {
    if (x.qtype === t.qtype) continue
    if (t.start - x.start <= LEG_GAP) return false
    isOfTwo = true
  }
  return isOfTwo
}

/** The other family has just been asked again, on this query's socket, where none of the first round was. */
function isPartnerOfRepeat(all: Transaction[], t: Transaction): boolean {
  if (!hasOtherTypeAtPort(all, t, t.start - LEG_GAP)) return false
  let earlier = false
  for (const x of all) {
    if (x.clientPort !== t.clientPort) earlier ||= x.qtype !== t.qtype
    else if (x.qtype === t.qtype) return false
  }
  return earlier
}

/** L6a: glibc had no room for the answer, and walks once more from the start, at once. */
export function isWalkAgain(lookup: Lookup, t: Transaction): boolean {
  const { candidates } = lookup
  const last = candidates[candidates.length - 1]
  if (!isLarge(last) || hasPortPerLeg(lookup) || !sameProfile(last.transactions[0], t)) return false
  let seen = Number.NEGATIVE_INFINITY
  for (const { transactions } of candidates)
    for (const x of transactions) {
      const moment = endedBy(x, t.start) ? x.end : x.lastQuery
      if (moment > seen) seen = moment
    }
  return t.start - seen < FAN_OUT_GAP
}

/** True where a known list has more for it: its client has not gone on, and has had no answer that would end its search. */
export function isUnfinished({ candidates, settledBase }: Lookup, knowledge: SearchKnowledge): boolean {
  const { list, position } = knowledge
  // Who asks elsewhere, too, may have gone on there.
  if (list.length === 0 || knowledge.isTorn) return false
  const last = candidates[candidates.length - 1]
  if (isPositive(last)) return false
  if (candidates.length === 1) return endsWithSuffix(last.name, list[0])
  const at = position.get(behind(last.name, settledBase))
  // Where the name as it is came first, the list's last domain is the end.
  return at !== undefined && at < list.length && (at < list.length - 1 || candidates[0].name.length > settledBase)
}

/** It asked both families of the candidate before, and one of the last. */
export function lacksLeg(lookup: Lookup): boolean {
  const { transactions } = lookup.candidates[lookup.candidates.length - 1]
  return transactions.length === 1 && isFamily(transactions[0].qtype) && legsBefore(lookup) !== null
}

/** The transactions of the candidate before the last, if it was asked for two types; else null. */
export function legsBefore({ candidates }: Lookup): readonly Transaction[] | null {
  if (candidates.length < 2) return null
  const { transactions } = candidates[candidates.length - 2]
  return transactions.length > 1 && transactions[0].qtype !== transactions[1].qtype ? transactions : null
}

/** The legs of its candidate before left from two ports (Go). */
export function hasPortPerLeg(lookup: Lookup): boolean {
  const legs = legsBefore(lookup)
  return legs !== null && legs[0].clientPort !== legs[1].clientPort
}

/** TCP after truncation: at once, up to the SYN where that was captured. A tool that is started again takes longer. */
function isFallback(truncated: Transaction, t: Transaction, lag: Time): boolean {
  const begun = Number.isNaN(t.sinceSyn) ? t.start : t.start - t.sinceSyn
  const known = !Number.isNaN(t.sinceSyn) && t.dnsId !== truncated.dnsId
  return begun - truncated.end <= (known ? SEQUENTIAL_GAP : STEP_GAP) + lag
}

/** It asks over TCP what came back truncated. */
function hasFallback(all: Transaction[], t: Transaction, lag: Time): boolean {
  for (const x of all) if (isTruncated(x) && isFallback(x, t, lag)) return true
  return false
}
