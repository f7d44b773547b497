/**
 * How a transaction fits an open lookup: as a leg or a retry of its candidate, as its next candidate, or not at all. Rules L1 to L6 and
 * K1 to K9 of the grouping rules that ARCHITECTURE.md describes. The decision looks only at what had happened when the query was sent.
 */
import { A, AAAA, NOERROR, NXDOMAIN, TC } from '../codes.ts'
import { HAS_CNAME, type NameId, TCP, type Time } from '../model.ts'
import type { Candidate, Lookup } from './lookup.ts'
import type { SearchKnowledge } from './search-knowledge.ts'
import { baseSettled, firstBase, LATER, NEXT, orderOf, UNKNOWN_ORDER, WRONG_ORDER } from './step-order.ts'
import { type Steps, splitAt } from './steps.ts'
import { behind, dots, endsWithSuffix } from './suffix.ts'
import { ANSWERED, type Transaction, UNREACHED, UNSEEN } from './transaction.ts'

/** Legs that are sent at once lie closer than this (L1). */
const LEG_GAP: Time = 50e6
/** A sequential leg follows the first one's answer within this (L2); a tool that is started again takes longer. */
const SEQUENTIAL_GAP: Time = 5e6
/** Starting a program takes longer than this, going on with a walk does not. */
const RESTART_GAP: Time = 10e6
/** A candidate, or a retry after an error, follows the answer before it within this (K1). */
const STEP_GAP: Time = 50e6
/** A domain from the middle of the list never starts a walk, so its step may be late: a starved pod. */
const LATE_STEP_GAP: Time = 1.5e9
/** Who has no answer after this asks again. */
const LATE_ANSWER: Time = 5e9
/** Clock granularity: an answer may bear a later time than the query that it let loose. */
const SLACK: Time = 0.1e6
/** Timers of stub resolvers after silence: from timeout:1 less a tenth to 6 s (three servers), and c-ares' 8 s. */
const TIMER_MIN: Time = 0.22e9
const TIMER_MAX: Time = 8.5e9
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
/** glibc asks everything again when this many addresses do not fit its first buffer. */
const BUFFER_ADDRESSES = 24

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
    // A sequential leg: on the same port (single-request), or from a new one (single-request-reopen, host, nslookup).
    if (!Number.isNaN(last.end) && last.end <= t.start + SLACK && t.start - last.end <= SEQUENTIAL_GAP)
      return joins(candidate, samePort ? 9 : 7, t.start - last.end)
    if (isDue(lookup, candidate, t, knowledge)) return joins(candidate, samePort ? 9 : 6, t.start - last.end)
    const overlaps = parallel <= SEQUENTIAL_GAP || !endedBy(all[0], t.start)
    if (parallel <= LEG_GAP && overlaps && sameProfile(all[0], t)) return joins(candidate, 7, parallel)
    // The other leg after its partner's timer: glibc asks one after the other once it has lost one.
    const silent = latestSilent(all, t.start)
    if (silent && samePort && isTimer(t.start - lastQueryBefore(silent, t.start))) return joins(candidate, 6, parallel)
    // Its first query was lost on its way here, and the client's timer sends it again.
    if (isTimer(parallel) && isUnfinished(lookup, knowledge)) {
      if (samePort) return joins(candidate, 6, parallel)
      if (isPunctual(parallel) && hasPortPerLeg(lookup) && sameProfile(all[0], t)) return joins(candidate, 5, parallel)
    }
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
  if (sameTuple && gap < TIMER_MAX) return joins(candidate, 9, gap)
  if (isUnreceived(lookup, candidate, twin, t, knowledge)) return joins(candidate, 7, gap)
  // The partner of a leg that has just been asked again, on its socket.
  if (hasOtherTypeAtPort(all, t, t.start - LEG_GAP)) return joins(candidate, 9, gap)
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
    if (after < FAN_OUT_GAP && all.some(isLarge)) return joins(candidate, 5, after)
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
  if (t.dnsId === twin.dnsId) return true
  return isPunctual(silence) && !hasOtherTypeAtPort(transactions, twin) && isUnfinished(lookup, knowledge)
}

/** True where a known list has more for it: its client has not gone on, and has had no answer that would end its search. */
export function isUnfinished({ candidates, settledBase }: Lookup, { list, position }: SearchKnowledge): boolean {
  if (list.length === 0) return false
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
  // As-is comes first only where the name has ndots dots, and ndots is at least 1.
  if (from === '' && lookup.candidates.length > 1) return fitsNot()
  if (from === '' && dots(candidate.name) < Math.max(1, knowledge.ndotsMin ?? 1)) return fitsNot()
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
    if (samePort && order === NEXT && gap <= STEP_GAP) return follows(9, gap)
    // What leaves from one port does so up to the end (K5).
    if (order !== NEXT && !samePort && sharesSocket(lookup)) return fitsNot()
    if (order === NEXT && gap <= SEQUENTIAL_GAP) return follows(8, SEQUENTIAL_GAP - gap)
    if (gap <= STEP_GAP) return follows(order === NEXT ? 5 : order === LATER ? 3 : 2, gap)
    // A late step is believed where the new name cannot begin a walk of its own.
    if (order === NEXT && gap <= LATE_STEP_GAP && to !== '' && knowledge.position.get(to) !== 0) return follows(1, gap)
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
  return isTimer(silence) && isWholeSeconds(silence) && !awaitsRetry(candidate)
    ? follows(order === NEXT ? 4 : 3, silence)
    : fitsNot()
}

/** True for a name behind a domain from the middle of the list, or the name as it is where it has too few dots to be asked first. */
function beginsNoWalk(to: string, name: string, { position, ndotsMin, list }: SearchKnowledge): boolean {
  if (to !== '') return position.get(to) !== 0
  return list.length > 0 && ndotsMin !== null && dots(name) < ndotsMin
}

// -- Small questions about transactions ----------------------------------------------------------------------------------------------

const isFamily = (qtype: number): boolean => qtype === A || qtype === AAAA

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

/** The legs of its candidate before left from two ports (Go). */
function hasPortPerLeg({ candidates }: Lookup): boolean {
  if (candidates.length < 2) return false
  const legs = candidates[candidates.length - 2].transactions
  return legs.length > 1 && legs[0].qtype !== legs[1].qtype && legs[0].clientPort !== legs[1].clientPort
}

/** Some transaction left from the same port under another id. */
function hasOtherIdAtPort(all: Transaction[], t: Transaction): boolean {
  for (const x of all) if (x.clientPort === t.clientPort && x.dnsId !== t.dnsId) return true
  return false
}

/** The same stub resolver as far as one query shows: flags and OPT. Cookies come and go with the server (c-ares). */
const sameProfile = (a: Transaction, b: Transaction): boolean =>
  a.queryFlags === b.queryFlags && (a.edns < 0 ? -1 : a.edns & 0x1ffff) === (b.edns < 0 ? -1 : b.edns & 0x1ffff)

const endedBy = (t: Transaction, time: Time): boolean => t.end <= time + SLACK

function lastQueryBefore(t: Transaction, time: Time): Time {
  let last = t.start
  if (t.resent) for (const resent of t.resent) if (resent < time) last = resent
  return last
}

/** The same query to another server (musl). */
const isCopy = (x: Transaction, t: Transaction): boolean => x.dnsId === t.dnsId && x.clientPort === t.clientPort

const isTruncated = (t: Transaction): boolean => t.state === ANSWERED && (t.responseFlags & TC) !== 0

/** TCP after truncation: at once, up to the SYN where that was captured. A tool that is started again takes longer. */
function isFallback(truncated: Transaction, t: Transaction): boolean {
  const begun = Number.isNaN(t.sinceSyn) ? t.start : t.start - t.sinceSyn
  const known = !Number.isNaN(t.sinceSyn) && t.dnsId !== truncated.dnsId
  return begun - truncated.end <= (known ? SEQUENTIAL_GAP : STEP_GAP)
}

// The questions below are functions of their own, not arrow functions within their askers: where one is, V8 makes an object of all that it
// may look at each time the asker is called, and these are called for every query.

function candidateOf(lookup: Lookup, qname: NameId): Candidate | null {
  for (const candidate of lookup.candidates) if (candidate.qname === qname) return candidate
  return null
}

/** One leg was answered, and the other, asked beside it, not yet asked again: all do that before they go on. */
function awaitsRetry({ transactions }: Candidate): boolean {
  if (transactions.length !== 2) return false
  const [first, second] = transactions
  if (first.retransmissions > 0 || second.retransmissions > 0 || Number.isNaN(first.end) === Number.isNaN(second.end))
    return false
  return Number.isNaN(first.end) || second.start < first.end
}

/** When the latest answer of a candidate came, or its first query where none was seen; long ago where one was still to come. */
function lastSeen({ transactions }: Candidate, time: Time): Time {
  let last = transactions[0].start
  for (const x of transactions) {
    if (x.end > time + SLACK) return Number.NEGATIVE_INFINITY
    if (x.end > last) last = x.end
  }
  return last
}

/** The latest that had not ended by then. */
function latestSilent(all: Transaction[], time: Time): Transaction | null {
  for (let i = all.length - 1; i >= 0; i--) if (!endedBy(all[i], time)) return all[i]
  return null
}

/** When any of it was last sent. */
function lastQueryOf({ transactions }: Candidate): Time {
  let last = Number.NEGATIVE_INFINITY
  for (const { lastQuery } of transactions) if (lastQuery > last) last = lastQuery
  return last
}

/** When what had not ended by then was last sent. */
function lastSilentQuery({ transactions }: Candidate, time: Time): Time {
  let last = Number.NEGATIVE_INFINITY
  for (const x of transactions) if (!endedBy(x, time)) last = Math.max(last, lastQueryBefore(x, time))
  return last
}

/** Some transaction of another type left from the same port, since then. */
function hasOtherTypeAtPort(all: Transaction[], t: Transaction, since: Time = Number.NEGATIVE_INFINITY): boolean {
  for (const x of all) if (x.qtype !== t.qtype && x.clientPort === t.clientPort && x.start >= since) return true
  return false
}

function hasTcpSince(all: Transaction[], since: Time): boolean {
  for (const x of all) if (x.transport === TCP && x.start >= since) return true
  return false
}

/** It asks over TCP what came back truncated. */
function hasFallback(all: Transaction[], t: Transaction): boolean {
  for (const x of all) if (isTruncated(x) && isFallback(x, t)) return true
  return false
}

const isLarge = (t: Transaction): boolean => t.addresses >= BUFFER_ADDRESSES || t.transport === TCP

/** Another try of the same leg was answered by then, and not with an error, so that nobody waited for this one. */
function isAnsweredElsewhere({ transactions }: Candidate, t: Transaction, time: Time): boolean {
  for (const x of transactions)
    if (x !== t && x.qtype === t.qtype && endedBy(x, time) && !isError(x) && (x.end >= t.start || isCopy(x, t)))
      return true
  return false
}

const isTimer = (silence: Time): boolean => silence >= TIMER_MIN && silence <= TIMER_MAX

const isWholeSeconds = (silence: Time): boolean =>
  silence >= SECOND - TIMER_EARLY && (silence + TIMER_EARLY) % SECOND <= TIMER_EARLY + TIMER_LATE

/** The same of who was answered, as the capture shows: programs that ask again do so at any time. */
const isPunctual = (silence: Time): boolean =>
  silence >= SECOND - TIMER_EARLY && (silence + TIMER_EARLY) % SECOND <= TIMER_EARLY + TIMER_PUNCTUAL

export const isError = (t: Transaction): boolean =>
  t.state === UNREACHED || (t.state === ANSWERED && t.rcode !== NOERROR && t.rcode !== NXDOMAIN)

function latest(transactions: Transaction[], qtype: number): Transaction | null {
  for (let i = transactions.length - 1; i >= 0; i--) if (transactions[i].qtype === qtype) return transactions[i]
  return null
}

/** When the last leg of a candidate was answered, as seen at `time`; NaN while one was still open. A copy elsewhere may stay open. */
function settledAt(candidate: Candidate, time: Time): Time {
  let at = Number.NaN
  for (const t of candidate.transactions) {
    if (endedBy(t, time)) {
      if (Number.isNaN(at) || t.end > at) at = t.end
      continue
    }
    if (!isAnsweredElsewhere(candidate, t, time)) return Number.NaN
  }
  return at
}

/** The walk ends at a candidate with addresses or other records, unless one leg says that the name does not exist (musl goes on). */
export function isPositive(candidate: Candidate): boolean {
  let positive = false
  for (const t of candidate.transactions) {
    if (t.state !== ANSWERED) continue
    if (t.rcode === NXDOMAIN) return false
    if (t.rcode === NOERROR && t.answerCount > 0 && !(t.addresses === 0 && t.content & HAS_CNAME && isFamily(t.qtype)))
      positive = true
  }
  return positive
}
