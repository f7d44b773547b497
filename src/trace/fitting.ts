/**
 * How a transaction fits an open lookup: as a leg or a retry of its candidate (leg-fit.ts), as its next candidate, or not at all. Comments
 * name the grouping rules of ARCHITECTURE.md where they decide. The decision looks only at what had happened when the query was sent.
 */
import type { NameId, Time } from '../model.ts'
import {
  awaitsRetry,
  isFamily,
  isHalfDenied,
  isPositive,
  lastQueryOf,
  lastSeen,
  lastSilentQuery,
  SLACK,
  sameProfile,
  settledAt,
} from './candidate.ts'
import { BY_MOMENT, BY_TIMER, fitsNot, follows, IN_TURN, joins, LAST_RESORT, LATE, NEAR, TIED } from './fit.ts'
import { fitSameName, hasPortPerLeg, isWalkAgain, lacksLeg, legsBefore } from './leg-fit.ts'
import type { Candidate, Lookup } from './lookup.ts'
import type { SearchKnowledge } from './search-knowledge.ts'
import { baseSettled, firstBase, LATER, NEXT, orderOf, UNKNOWN_ORDER, WRONG_ORDER } from './step-order.ts'
import { type Step, type Steps, splitAt } from './steps.ts'
import { dots, endsWithSuffix } from './suffix.ts'
import {
  FAN_OUT_GAP,
  isPunctual,
  isTimer,
  isWholeSeconds,
  LATE_ANSWER,
  RESTART_GAP,
  SEQUENTIAL_GAP,
  STEP_GAP,
  THROTTLED,
} from './timers.ts'
import { type Transaction, UNSEEN } from './transaction.ts'

/** A domain from the middle of the list never starts a walk, so its step may be late: a starved pod. */
const LATE_STEP_GAP: Time = 1.5e9

export function fitOf(lookup: Lookup, t: Transaction, steps: Steps, knowledge: SearchKnowledge): number {
  const candidate = lookup.candidates[lookup.candidates.length - 1]
  if (candidate.qname === t.qname) return fitSameName(lookup, candidate, t, knowledge)
  // K5: everything at once on one port (BusyBox).
  const first = lookup.candidates[0].transactions[0]
  if (first.clientPort === t.clientPort && t.start - first.start < FAN_OUT_GAP * 2) {
    const same = candidateOf(lookup, t.qname)
    if (same) return joins(same, IN_TURN, t.start - first.start)
  }
  return fitNext(lookup, candidate, t, steps, knowledge)
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
  // K5a: no resolver asks for a name twice: what began as it is does not end with it again.
  const known = candidateOf(lookup, t.qname)
  if (known !== null) return isWalkAgain(lookup, t) ? joins(known, LATE, 0) : fitsNot()
  splitAt(step, base)
  const { from, to } = step
  // K2
  const order = orderOf(step, knowledge)
  if (order === WRONG_ORDER) return fitsNot()
  // As-is comes first only where the name has ndots dots.
  if (from === '' && lookup.candidates.length > 1) return fitsNot()
  if (from === '' && !mayBeAsIsFirst(candidate.name, order, knowledge)) return fitsNot()
  const settled = settledAt(candidate, t.start)
  // Of a client far away, what it could not do sooner does not count.
  const since = t.start - settled
  const gap = since > knowledge.lag ? since - knowledge.lag : Math.min(since, 0)
  // In the middle of a list that is known no other lookup begins: what is missing between the two was lost by the capture alone.
  const goesOn = order === NEXT && from !== '' && knowledge.position.get(to) !== 0
  if (kind === OTHER_LEG && !(goesOn && gap <= STEP_GAP)) return fitsNot()
  return Number.isNaN(settled)
    ? fitAfterSilence(lookup, candidate, t, order, goesOn, knowledge)
    : fitAfterAnswer(lookup, candidate, t, step, order, gap, knowledge)
}

/** The next candidate, `gap` after all legs of the one before were settled. */
function fitAfterAnswer(
  lookup: Lookup,
  candidate: Candidate,
  t: Transaction,
  { from, to, nameText }: Step,
  order: number,
  gap: Time,
  knowledge: SearchKnowledge,
): number {
  // K6
  if (isPositive(candidate)) return fitsNot()
  if (gap < -SLACK) return fitsNot()
  // A tool that asks the bare name, and then an application that walks, look like a walk that begins as-is: it must be quick, or
  // known to have few enough ndots.
  if (from === '' && gap > RESTART_GAP && !(dots(candidate.name) >= (knowledge.ndotsMax ?? Number.POSITIVE_INFINITY)))
    return fitsNot()
  // K5a: as slow as a program that asks for its next name: only a known list makes one walk of the two.
  if (gap > RESTART_GAP && order === UNKNOWN_ORDER) return fitsNot()
  // K2: nothing of the list was asked between them, though it is known: no walk, unless a cache kept it.
  if (gap > SEQUENTIAL_GAP && from === '' && order === LATER) return fitsNot()
  // K6a: another walk of the same client is nearer to this: it has all of its legs.
  if (gap <= STEP_GAP && isOutOfTurn(lookup, t)) return follows(LAST_RESORT, gap)
  // K5: what leaves from one port does so up to the end.
  const samePort = candidate.transactions[0].clientPort === t.clientPort
  if (samePort && order === NEXT && gap <= STEP_GAP) return follows(TIED, gap)
  if (order !== NEXT && !samePort && sharesSocket(lookup)) return fitsNot()
  // K1, K7: of several the one that was answered first.
  if (order === NEXT && gap <= SEQUENTIAL_GAP) return follows(IN_TURN, SEQUENTIAL_GAP - gap)
  if (gap <= STEP_GAP) return follows(order === NEXT ? LATE : order === LATER ? BY_MOMENT : NEAR, gap)
  // A late step is believed where the new name cannot begin a walk of its own.
  const late = to === '' && !beginsNoWalk(to, nameText, knowledge) ? THROTTLED : LATE_STEP_GAP
  if (order === NEXT && gap <= late && knowledge.position.get(to) !== 0) return follows(LAST_RESORT, gap)
  // K4a: it had no answer to the one before (that was lost on its way), and goes on when its timer fires with what no walk begins with.
  const silence = t.start - lastQueryOf(candidate)
  const isDue = (isTimer(silence) && isPunctual(silence)) || isTimeOver(candidate, t.start)
  if (isDue && order !== UNKNOWN_ORDER && beginsNoWalk(to, nameText, knowledge)) return follows(LAST_RESORT, silence)
  // Where its query was not captured it may have begun at once.
  if (order === NEXT && t.withoutQuery && gap <= LATE_ANSWER) return follows(LAST_RESORT, gap)
  // The same where only its answer was not: a slow one, as nothing else begins like that.
  if (order === NEXT && gap <= LATE_ANSWER && isHalfSeen(candidate) && beginsNoWalk(to, nameText, knowledge))
    return follows(LAST_RESORT, gap)
  return fitsNot()
}

/** The next candidate, while a leg of the one before is not answered: all at once (BusyBox), or after the timer. */
function fitAfterSilence(
  lookup: Lookup,
  candidate: Candidate,
  t: Transaction,
  order: number,
  goesOn: boolean,
  knowledge: SearchKnowledge,
): number {
  const [first] = candidate.transactions
  // K5
  if (first.clientPort === t.clientPort && t.start - first.start < FAN_OUT_GAP)
    return follows(BY_TIMER, t.start - first.start)
  const sinceSeen = t.start - lastSeen(candidate, t.start)
  if (goesOn && sinceSeen <= STEP_GAP + knowledge.lag) return follows(LAST_RESORT, sinceSeen)
  const silence = t.start - lastSilentQuery(candidate, t.start)
  // So long after, other threads ask as well: where the whole list is known, it says what can be next.
  if (order === UNKNOWN_ORDER && knowledge.complete) return fitsNot()
  // K4; but Go that asks only once (attempts:1) goes on with the next name.
  const goesOnAtOnce = isPunctual(silence) && (hasPortPerLeg(lookup) || hasTwoPorts(candidate))
  const isDue = isTimer(silence) && isWholeSeconds(silence) && (goesOnAtOnce || !awaitsRetry(candidate))
  return isDue || isTimeOver(candidate, t.start) ? follows(order === NEXT ? BY_TIMER : BY_MOMENT, silence) : fitsNot()
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

/** K4b: musl hears no error, and waits all of its time for the leg that it lacks: from the candidate's first query. */
function isTimeOver(candidate: Candidate, time: Time): boolean {
  const { start } = candidate.transactions[0]
  return isPunctual(time - start) && isTimer(time - start) && isHalfDenied(candidate, time)
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

function hasTwoPorts({ transactions }: Candidate): boolean {
  return transactions.length === 2 && transactions[0].clientPort !== transactions[1].clientPort
}

function candidateOf(lookup: Lookup, qname: NameId): Candidate | null {
  for (const candidate of lookup.candidates) if (candidate.qname === qname) return candidate
  return null
}
