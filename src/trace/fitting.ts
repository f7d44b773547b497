/**
 * How a transaction fits an open lookup: as a leg or a retry of its candidate, as its next candidate, or not at all. Rules L1 to L6 and
 * K1 to K9 of the grouping rules that ARCHITECTURE.md describes. The decision looks only at what had happened when the query was sent.
 */
import { NXDOMAIN } from '../codes.ts'
import { type NameId, TCP, type Time } from '../model.ts'
import {
  awaitsRetry,
  endedBy,
  hasOtherIdAtPort,
  hasOtherTypeAtPort,
  hasTcpSince,
  isError,
  isFamily,
  isLarge,
  isPositive,
  isTruncated,
  lastQueryBefore,
  lastQueryOf,
  lastSeen,
  lastSilentQuery,
  latest,
  latestSilent,
  SLACK,
  sameProfile,
  settledAt,
} from './candidate.ts'
import type { Candidate, Lookup } from './lookup.ts'
import type { SearchKnowledge } from './search-knowledge.ts'
import { baseSettled, firstBase, LATER, NEXT, orderOf, UNKNOWN_ORDER, WRONG_ORDER } from './step-order.ts'
import { type Steps, splitAt } from './steps.ts'
import { behind, dots, endsWithSuffix } from './suffix.ts'
import { isTimer, LEG_GAP, LONGEST_TIMER, STEP_GAP } from './timers.ts'
import { type Transaction, UNSEEN } from './transaction.ts'

/** A sequential leg follows the first one's answer within this (L2); a tool that is started again takes longer. */
const SEQUENTIAL_GAP: Time = 5e6
/** Starting a program takes longer than this, going on with a walk does not. */
const RESTART_GAP: Time = 10e6
/** A domain from the middle of the list never starts a walk, so its step may be late: a starved pod. */
const LATE_STEP_GAP: Time = 1.5e9
/** A pod whose time is used up stands still for up to a tenth of a second (CFS): between two legs, or before the name as it is. */
const THROTTLED: Time = 150e6
/** Who has no answer after this asks again. */
const LATE_ANSWER: Time = 5e9
/** Who goes on to another name after silence (glibc, Go) counts whole seconds; a timer fires late, by little. */
const SECOND: Time = 1e9
const TIMER_EARLY: Time = 20e6
const TIMER_LATE: Time = 250e6
const TIMER_PUNCTUAL: Time = 20e6
/** Copies to several servers leave within this (musl). */
const FAN_OUT_GAP: Time = 5e6
/** Queries for one candidate: five attempts at three servers for two families are 30. */
const MOST_TRIES = 64
/** c-ares sends its copy to a failed server in the same moment. */
const PROBE_GAP: Time = 1e6

interface Fit {
  /** 0: does not. */
  rank: number
  /** Nanoseconds between what it follows and itself: the nearer of two equals. */
  gap: Time
  /** True: as the next candidate; else it joins `candidate`. */
  next: boolean
  candidate: Candidate | null
}

export const NOTHING_FITS: Fit = { rank: 0, gap: Number.POSITIVE_INFINITY, next: false, candidate: null }

/** What the functions below have found: one object for all, since nearly every transaction asks. */
export const fit: Fit = { ...NOTHING_FITS }

/** All of these return the rank. */
function fitsNot(): number {
  fit.rank = 0
  return 0
}

function joins(candidate: Candidate, rank: number, gap: Time): number {
  fit.rank = rank
  fit.gap = Math.abs(gap)
  fit.next = false
  fit.candidate = candidate
  return rank
}

function follows(rank: number, gap: Time): number {
  fit.rank = rank
  fit.gap = Math.abs(gap)
  fit.next = true
  fit.candidate = null
  return rank
}

export function fitOf(lookup: Lookup, t: Transaction, steps: Steps, knowledge: SearchKnowledge): number {
  const candidate = lookup.candidates[lookup.candidates.length - 1]
  if (candidate.qname === t.qname) return fitSameName(lookup, candidate, t, knowledge)
  // Everything at once on one port: BusyBox.
  const first = lookup.candidates[0].transactions[0]
  if (first.clientPort === t.clientPort && t.start - first.start < FAN_OUT_GAP * 2) {
    const same = candidateOf(lookup, t.qname)
    if (same) return joins(same, 8, t.start - first.start)
  }
  return fitNext(lookup, candidate, t, steps, knowledge)
}

/** The same name again: the other leg, a retry, a copy to another server, TCP after truncation. */
function fitSameName(lookup: Lookup, candidate: Candidate, t: Transaction, knowledge: SearchKnowledge): number {
  const all = candidate.transactions
  if (all.length >= MOST_TRIES) return fitsNot()
  const last = all[all.length - 1]
  const twin = latest(all, t.qtype)
  if (!twin) {
    if (!isFamily(t.qtype) && !isFamily(last.qtype)) return fitsNot()
    const parallel = t.start - all[0].start
    const samePort = hasOtherIdAtPort(all, t)
    if (samePort && parallel <= (t.withoutQuery ? LATE_ANSWER : LEG_GAP)) return joins(candidate, 10, parallel)
    // Before another walk goes on with it, the one that sends both at once, from two ports, has its second; of several the first to send.
    if (parallel <= SEQUENTIAL_GAP && hasPortPerLeg(lookup) && sameProfile(all[0], t))
      return joins(candidate, 9, SEQUENTIAL_GAP - parallel)
    // A sequential leg: on the same port (single-request), or from a new one (single-request-reopen, host, nslookup).
    if (!Number.isNaN(last.end) && last.end <= t.start + SLACK && t.start - last.end <= SEQUENTIAL_GAP)
      return joins(candidate, samePort ? 9 : 7, t.start - last.end)
    if (isDue(lookup, candidate, t, knowledge)) return joins(candidate, samePort ? 9 : 6, t.start - last.end)
    const overlaps = parallel <= SEQUENTIAL_GAP || !endedBy(all[0], t.start)
    if (parallel <= LEG_GAP && overlaps && sameProfile(all[0], t)) return joins(candidate, 7, LEG_GAP - parallel)
    // The other leg after its partner's timer: glibc asks one after the other once it has lost one.
    const silent = latestSilent(all, t.start)
    if (silent && samePort && isTimer(t.start - lastQueryBefore(silent, t.start))) return joins(candidate, 6, parallel)
    // Its first query was lost on its way here, and the client's timer sends it again.
    if (isTimer(parallel) && (isUnfinished(lookup, knowledge) || lacksLeg(lookup))) {
      if (samePort) return joins(candidate, 6, parallel)
      if (isPunctual(parallel) && hasPortPerLeg(lookup) && sameProfile(all[0], t)) return joins(candidate, 5, parallel)
    }
    if (parallel <= THROTTLED && lacksLeg(lookup) && sameProfile(all[0], t)) return joins(candidate, 2, parallel)
    return fitsNot()
  }
  // The same question again.
  const sameTuple = twin.clientPort === t.clientPort && twin.dnsId === t.dnsId
  if (!endedBy(twin, t.start)) {
    if (t.start - twin.start <= FAN_OUT_GAP && sameTuple && t.asked !== twin.asked)
      return joins(candidate, 10, t.start - twin.start)
    if (t.asked !== twin.asked && t.edns >= 0 && t.start - twin.start <= PROBE_GAP && sameProfile(twin, t))
      return joins(candidate, 4, t.start - twin.start)
    const silence = t.start - lastQueryBefore(twin, t.start)
    if (sameTuple) return joins(candidate, 9, silence)
    // Its pair met an error, and both are asked again from another port.
    if (t.dnsId === twin.dnsId && hasOtherTypeAtPort(all, t, t.start - LEG_GAP)) return joins(candidate, 9, silence)
    // Its turn after the other leg's, which was lost as well: glibc asks one after the other, each from a new port, with the ids it had.
    if (
      t.dnsId === twin.dnsId &&
      t.qtype !== last.qtype &&
      last.end <= t.start + SLACK &&
      t.start - last.end <= STEP_GAP
    )
      return joins(candidate, 8, silence)
    if (t.transport === TCP && twin.transport !== TCP && t.dnsId === twin.dnsId) return joins(candidate, 9, silence)
    // Only resolvers with a socket per query (Go) choose a new id for a retry, and those count whole seconds.
    const mayChangeId = t.dnsId === twin.dnsId || (!hasOtherTypeAtPort(all, twin) && isWholeSeconds(silence))
    if (isTimer(silence) && mayChangeId && sameProfile(twin, t)) return joins(candidate, 7, silence)
    return fitsNot()
  }
  const gap = t.start - twin.end
  if (twin.state === UNSEEN) {
    // What came back nobody knows: truncated, or nothing at all.
    if (t.transport === TCP && twin.transport !== TCP && gap <= STEP_GAP) return joins(candidate, 9, gap)
    if (t.dnsId === twin.dnsId && isTimer(t.start - twin.lastQuery) && sameProfile(twin, t))
      return joins(candidate, 7, gap)
  }
  if (isTruncated(twin) && t.transport === TCP && isFallback(twin, t)) return joins(candidate, 10, gap)
  if (sameTuple && gap < LONGEST_TIMER) return joins(candidate, 9, gap)
  if (isUnreceived(lookup, candidate, twin, t, knowledge)) return joins(candidate, 7, gap)
  // The partner of a leg that has just been asked again, on its socket.
  if (t.dnsId === twin.dnsId && hasOtherTypeAtPort(all, t, t.start - LEG_GAP)) return joins(candidate, 9, gap)
  if (isError(twin) && gap <= STEP_GAP && sameProfile(twin, t))
    return joins(candidate, gap <= SEQUENTIAL_GAP ? 7 : 3, gap)
  // After an error on either leg both may be asked again.
  const settled = settledAt(candidate, t.start)
  if (Number.isNaN(settled)) {
    // The partner is silent, and the client repeats both after its timer.
    const silent = latestSilent(all, t.start) as Transaction
    if (t.transport === TCP && hasTcpSince(all, twin.end) && gap <= STEP_GAP) return joins(candidate, 8, gap)
    if (
      sameProfile(twin, t) &&
      isTimer(t.start - lastQueryBefore(silent, t.start)) &&
      (t.clientPort === silent.clientPort || t.dnsId === twin.dnsId)
    )
      return joins(candidate, 6, gap)
    return fitsNot()
  }
  const after = t.start - settled
  if (after <= STEP_GAP && after >= -SLACK) {
    if (all.some(isError)) return sameProfile(twin, t) ? joins(candidate, 6, after) : fitsNot()
    if (t.transport === TCP && hasFallback(all, t)) return joins(candidate, 8, after)
    if (after < FAN_OUT_GAP && isLarge(candidate)) return joins(candidate, 5, after)
  }
  return fitsNot()
}

/**
 * A starved pod is late with its second leg: it is that all the same where the candidate before had its two legs in turn, or where a walk
 * for one family would have gone on to the next search domain instead.
 */
function isDue({ candidates }: Lookup, candidate: Candidate, t: Transaction, { list }: SearchKnowledge): boolean {
  const [first] = candidate.transactions
  const gap = t.start - first.end
  if (candidate.transactions.length > 1 || !(gap >= -SLACK && gap <= STEP_GAP) || !sameProfile(first, t)) return false
  const before = candidates.length > 1 ? candidates[candidates.length - 2].transactions : null
  if (before !== null && before.length > 1 && before[0].qtype === first.qtype && before[1].start >= before[0].end)
    return true
  return first.rcode === NXDOMAIN && list.some(suffix => endsWithSuffix(candidate.name, suffix))
}

/**
 * The answer was lost between where it was captured and the client: the same question after a timer, with its id; or, of who gives each query
 * an id and a socket (Go), after whole seconds, instead of the next candidate.
 */
function isUnreceived(
  lookup: Lookup,
  { transactions }: Candidate,
  twin: Transaction,
  t: Transaction,
  knowledge: SearchKnowledge,
): boolean {
  const silence = t.start - twin.lastQuery
  if (!isTimer(silence) || twin.end - twin.lastQuery >= silence || !sameProfile(twin, t)) return false
  if (!isUnfinished(lookup, knowledge)) return false
  return t.dnsId === twin.dnsId || (isPunctual(silence) && !hasOtherTypeAtPort(transactions, twin))
}

/** True where a known list has more for it: its client has not gone on, and has had no answer that would end its search. */
export function isUnfinished({ candidates, settledBase }: Lookup, knowledge: SearchKnowledge): boolean {
  const { list, position } = knowledge
  // Of what is asked elsewhere, too, nobody knows whether it went on.
  if (list.length === 0 || knowledge.isTorn) return false
  const last = candidates[candidates.length - 1]
  if (isPositive(last)) return false
  if (candidates.length === 1) return endsWithSuffix(last.name, list[0])
  const at = position.get(behind(last.name, settledBase))
  // Where the name as it is came first, the list's last domain is the end.
  return at !== undefined && at < list.length && (at < list.length - 1 || candidates[0].name.length > settledBase)
}

/** Another name: the next candidate of the walk. */
function fitNext(
  lookup: Lookup,
  candidate: Candidate,
  t: Transaction,
  steps: Steps,
  knowledge: SearchKnowledge,
): number {
  const step = steps.of(candidate.qname, t.qname)
  const base = lookup.settledBase > 0 ? baseSettled(step, lookup.settledBase) : firstBase(step, knowledge)
  if (base <= 0) return fitsNot()
  const kind = kindOf(lookup, t)
  if (kind === OTHER_KIND) return fitsNot()
  // No resolver asks for a name twice: what began as it is does not end with it again.
  if (candidateOf(lookup, t.qname) !== null) return fitsNot()
  splitAt(step, base)
  const { from, to } = step
  const order = orderOf(step, knowledge)
  if (order === WRONG_ORDER) return fitsNot()
  // As-is comes first only where the name has ndots dots.
  if (from === '' && lookup.candidates.length > 1) return fitsNot()
  if (from === '' && !mayBeAsIsFirst(candidate.name, order, knowledge)) return fitsNot()
  const settled = settledAt(candidate, t.start)
  const samePort = candidate.transactions[0].clientPort === t.clientPort
  // In the middle of a list that is known no other lookup begins: what is missing between the two was lost by the capture alone.
  const goesOn = order === NEXT && from !== '' && knowledge.position.get(to) !== 0
  if (kind === OTHER_LEG && !(goesOn && !Number.isNaN(settled) && t.start - settled <= STEP_GAP)) return fitsNot()
  if (!Number.isNaN(settled)) {
    if (isPositive(candidate)) return fitsNot()
    const gap = t.start - settled
    if (gap < -SLACK) return fitsNot()
    // A tool that asks the bare name, and then an application that walks, look like a walk that begins as-is: it must be quick, or
    // known to have few enough ndots.
    if (from === '' && gap > RESTART_GAP && !(dots(candidate.name) >= (knowledge.ndotsMax ?? Number.POSITIVE_INFINITY)))
      return fitsNot()
    // As slow as a program that asks for its next name: only a known list makes one walk of the two.
    if (gap > RESTART_GAP && order === UNKNOWN_ORDER) return fitsNot()
    // Nothing of the list was asked between them, though it is known: no walk, unless a cache kept it.
    if (gap > SEQUENTIAL_GAP && from === '' && order === LATER) return fitsNot()
    // Another walk of the same client is nearer to this: it has all of its legs.
    if (gap <= STEP_GAP && isOutOfTurn(lookup, t)) return follows(1, gap)
    if (samePort && order === NEXT && gap <= STEP_GAP) return follows(9, gap)
    // What leaves from one port does so up to the end (K5).
    if (order !== NEXT && !samePort && sharesSocket(lookup)) return fitsNot()
    if (order === NEXT && gap <= SEQUENTIAL_GAP) return follows(8, SEQUENTIAL_GAP - gap)
    if (gap <= STEP_GAP) return follows(order === NEXT ? 5 : order === LATER ? 3 : 2, gap)
    // A late step is believed where the new name cannot begin a walk of its own.
    const late = to === '' ? THROTTLED : LATE_STEP_GAP
    if (order === NEXT && gap <= late && knowledge.position.get(to) !== 0) return follows(1, gap)
    // It had no answer to the one before (that was lost on its way), and goes on when its timer fires with what no walk begins with.
    const silence = t.start - lastQueryOf(candidate)
    if (
      isTimer(silence) &&
      isPunctual(silence) &&
      order !== UNKNOWN_ORDER &&
      beginsNoWalk(to, step.nameText, knowledge)
    )
      return follows(1, silence)
    // Where its query was not captured it may have begun at once.
    if (order === NEXT && t.withoutQuery && gap <= LATE_ANSWER) return follows(1, gap)
    // The same where only its answer was not: a slow one, as nothing else begins like that.
    if (order === NEXT && gap <= LATE_ANSWER && isHalfSeen(candidate) && beginsNoWalk(to, step.nameText, knowledge))
      return follows(1, gap)
    return fitsNot()
  }
  // Unanswered: all at once (BusyBox), or after the timer.
  if (samePort && t.start - candidate.transactions[0].start < FAN_OUT_GAP)
    return follows(4, t.start - candidate.transactions[0].start)
  const sinceSeen = t.start - lastSeen(candidate, t.start)
  if (goesOn && sinceSeen <= STEP_GAP) return follows(1, sinceSeen)
  const silence = t.start - lastSilentQuery(candidate, t.start)
  // So long after, other threads ask as well: where the whole list is known, it says what can be next.
  if (order === UNKNOWN_ORDER && knowledge.complete) return fitsNot()
  // Go that asks but once (attempts:1) goes on with the next name.
  const goesOnAtOnce = isPunctual(silence) && (hasPortPerLeg(lookup) || hasTwoPorts(candidate))
  return isTimer(silence) && isWholeSeconds(silence) && (goesOnAtOnce || !awaitsRetry(candidate))
    ? follows(order === NEXT ? 4 : 3, silence)
    : fitsNot()
}

/** ndots is hardly ever 0, so a bare label comes first only of who was never seen to begin with a search domain. */
function mayBeAsIsFirst(name: string, order: number, { ndotsMin }: SearchKnowledge): boolean {
  const n = dots(name)
  return n >= Math.max(1, ndotsMin ?? 1) || (n === 0 && ndotsMin === null && order === NEXT)
}

/** The candidate before had both families, and this one has not; or the families were asked in turn, beginning with the other one. */
function isOutOfTurn(lookup: Lookup, t: Transaction): boolean {
  const legs = isFamily(t.qtype) ? legsBefore(lookup) : null
  if (legs === null) return false
  return lacksLeg(lookup) || (legs[1].start >= legs[0].end && legs[0].qtype !== t.qtype)
}

function isHalfSeen({ transactions }: Candidate): boolean {
  for (const { state } of transactions) if (state === UNSEEN) return true
  return false
}

/** True for a name behind a domain from the middle of the list, or the name as it is where it has too few dots to be asked first. */
function beginsNoWalk(to: string, name: string, { position, ndotsMin, list, isTorn }: SearchKnowledge): boolean {
  if (isTorn) return false
  if (to !== '') return position.get(to) !== 0
  return list.length > 0 && ndotsMin !== null && dots(name) < ndotsMin
}

/**
 * The same of a whole name, whose base nobody knows: false where it ends with a domain from the middle of the list, and not with the first, or
 * has too few dots to be asked as it is.
 */
export function mayBeginWalk(name: string, { list, ndotsMin }: SearchKnowledge): boolean {
  if (list.length < 2 || endsWithSuffix(name, list[0])) return true
  return !list.some(suffix => endsWithSuffix(name, suffix)) && !(ndotsMin !== null && dots(name) < ndotsMin)
}

// -- Small questions ----------------------------------------------------------------------------------------------

const OTHER_KIND = 0
/** Its last candidate was asked for the other family alone. */
const OTHER_LEG = 1
const SAME_KIND = 2

/** Legs of one walk: families together, any other type alone with itself. */
function kindOf({ candidates }: Lookup, t: Transaction): number {
  const last = candidates[candidates.length - 1].transactions
  const first = last[0]
  if (!sameProfile(first, t)) return OTHER_KIND
  if (first.qtype === t.qtype) return SAME_KIND
  if (!isFamily(first.qtype) || !isFamily(t.qtype)) return OTHER_KIND
  return last.length > 1 ? SAME_KIND : OTHER_LEG
}

/** Its latest candidates left from one port (c-ares). */
function sharesSocket({ candidates }: Lookup): boolean {
  if (candidates.length < 2) return false
  const [last] = candidates[candidates.length - 1].transactions
  const [before] = candidates[candidates.length - 2].transactions
  return last.clientPort === before.clientPort && last.transport === before.transport
}

/** It asked both families of the candidate before, and one of the last. */
export function lacksLeg(lookup: Lookup): boolean {
  const { transactions } = lookup.candidates[lookup.candidates.length - 1]
  return transactions.length === 1 && isFamily(transactions[0].qtype) && legsBefore(lookup) !== null
}

/** The transactions of the candidate before the last, if it was asked for two types; else null. */
function legsBefore({ candidates }: Lookup): readonly Transaction[] | null {
  if (candidates.length < 2) return null
  const { transactions } = candidates[candidates.length - 2]
  return transactions.length > 1 && transactions[0].qtype !== transactions[1].qtype ? transactions : null
}

/** The legs of its candidate before left from two ports (Go). */
function hasPortPerLeg(lookup: Lookup): boolean {
  const legs = legsBefore(lookup)
  return legs !== null && legs[0].clientPort !== legs[1].clientPort
}

function hasTwoPorts({ transactions }: Candidate): boolean {
  return transactions.length === 2 && transactions[0].clientPort !== transactions[1].clientPort
}

/** TCP after truncation: at once, up to the SYN where that was captured. A tool that is started again takes longer. */
function isFallback(truncated: Transaction, t: Transaction): boolean {
  const begun = Number.isNaN(t.sinceSyn) ? t.start : t.start - t.sinceSyn
  const known = !Number.isNaN(t.sinceSyn) && t.dnsId !== truncated.dnsId
  return begun - truncated.end <= (known ? SEQUENTIAL_GAP : STEP_GAP)
}

function candidateOf(lookup: Lookup, qname: NameId): Candidate | null {
  for (const candidate of lookup.candidates) if (candidate.qname === qname) return candidate
  return null
}

/** It asks over TCP what came back truncated. */
function hasFallback(all: Transaction[], t: Transaction): boolean {
  for (const x of all) if (isTruncated(x) && isFallback(x, t)) return true
  return false
}

const isWholeSeconds = (silence: Time): boolean =>
  silence >= SECOND - TIMER_EARLY && (silence + TIMER_EARLY) % SECOND <= TIMER_EARLY + TIMER_LATE

/** The same of who was answered, as the capture shows: programs that ask again do so at any time. */
const isPunctual = (silence: Time): boolean =>
  silence >= SECOND - TIMER_EARLY && (silence + TIMER_EARLY) % SECOND <= TIMER_EARLY + TIMER_PUNCTUAL
