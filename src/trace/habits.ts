/** The habits that a lookup shows of its stub resolver: what resolvers.ts tells its rows by. */
import { A, AAAA, AD, MX } from '../codes.ts'
import { EDNS_COOKIE, EDNS_SIZE, NONE } from '../model.ts'
import type { Candidate, Lookup } from './lookup.ts'
import { ENOUGH_QUERIES, type SearchKnowledge } from './search-knowledge.ts'
import { beginsWithBase, dots, endsWithSuffix } from './suffix.ts'
import { ANSWERED, type Transaction, UNSEEN } from './transaction.ts'

const SECOND = 1e9
/** No server answers sooner. */
const SOONEST_ANSWER = 0.15e6

/** What a lookup shows of its resolver. */
export interface Habits {
  /** UDP size of the OPT record, null without one. */
  edns: number | null
  cookie: boolean
  ad: boolean
  /** Candidates asked. */
  candidates: number
  /** Some candidate was asked for A and AAAA. */
  twoLegs: boolean
  legsShareSocket: boolean
  /** Some second leg left before the first was answered: a slow client may answer for the others. */
  legsTogether: boolean
  /** Every candidate was asked for both families. */
  legsWalkTogether: boolean
  /** One source port for several candidates. */
  walkSharesSocket: boolean
  /** How often a port of one candidate was used for the next one. */
  keptPorts: number
  /** Another candidate was asked before the one before it was answered. */
  candidatesTogether: boolean
  /** Pairs of ids of A and AAAA as musl makes them from its clock, those that a slow machine makes so, and all pairs. */
  clockIds: number
  slowClockIds: number
  idPairs: number
  /** What all lookups of its client showed. */
  client: ClientHabits
  /** The first query was for A. */
  startsWithA: boolean
  asksMx: boolean
  otherTypes: boolean
  /** Candidates without an address that were asked for AAAA only after A had brought none, and all that have both legs (hickory). */
  secondLegsAfterNothing: number
  /** The name as it is came last, behind search domains. */
  asIsLast: boolean
  /** Steps from one query to the next with the next id, of all steps (Erlang counts). */
  countedIds: number
  steps: number
  /** The last candidate was asked for A alone, and A brought an address. */
  endsWithA: boolean
  /** One candidate, the name as it is, of a client that searches for such names, or for none: the search tells nothing of its resolver. */
  unsearched: boolean
  /** A query was sent again with its id, from its port. */
  repeats: boolean
  /** An unanswered query was sent again after half of 5 s (musl, BusyBox). */
  resendsHalfway: boolean
}

/** What all lookups of a client showed of its resolver, as far as one lookup may not. */
export interface ClientHabits {
  /** Pairs of ids of A and AAAA, and those of them that look like a clock's, a fast machine's and a slow one's. */
  pairs: number
  clockPairs: number
  slowClockPairs: number
  /** Walks of several candidates, and those of them that left from one port. */
  walks: number
  sharedWalks: number
}

/** Nobody makes a query in less nanoseconds. */
const LEAST = 64

/** All of 1,950 pairs of ids recorded from musl lie between 100 and 621; random pairs lie below this once in 65 times, ... */
export const FAST_CLOCK = 1024
/** ... and below that, where a machine takes a microsecond or two from one query to the next, once in 33 times. */
export const SLOW_CLOCK = 2048

/** Ids that musl derives from the clock: the AAAA query's is a little behind the A query's (res_mkquery.c), by less than `below`. */
export const isClockPair = (a: { dnsId: number }, aaaa: { dnsId: number }, below: number): boolean => {
  const delta = (aaaa.dnsId - a.dnsId) & 0xffff
  return delta >= LEAST && delta < below
}

/** Random ids look like a clock's this often. */
const CHANCE_OF_CLOCK_PAIR = 0.015
/** So many pairs are no chance. */
const MANY_PAIRS = 4

/** The share of a client's pairs of ids that only a clock explains; 0 where it showed none. */
export const clockShare = ({ pairs, clockPairs }: ClientHabits): number =>
  pairs === 0 ? 0 : Math.max(0, clockPairs / pairs - CHANCE_OF_CLOCK_PAIR)

/** Most of a client's ids come from a clock, though it may be a slow one's. */
export const isClocked = ({ pairs, slowClockPairs }: ClientHabits): boolean =>
  slowClockPairs >= MANY_PAIRS && slowClockPairs * 2 > pairs

/** The first transaction of that type; null without. */
function firstOf({ transactions }: Candidate, qtype: number): Transaction | null {
  for (const t of transactions) if (t.qtype === qtype) return t
  return null
}

/** `knowledge`: of the client's search list. */
export function habitsOf(lookup: Lookup, client: ClientHabits, knowledge: SearchKnowledge): Habits {
  const { candidates } = lookup
  const first = candidates[0].transactions[0]
  const habits: Habits = {
    // Without ids and header (Hubble), or without its query, nothing is known of OPT either; what is no number fits no row.
    edns: first.dnsId < 0 || first.withoutQuery ? Number.NaN : first.edns === NONE ? null : first.edns & EDNS_SIZE,
    cookie: false,
    ad: (first.queryFlags & AD) !== 0,
    candidates: candidates.length,
    twoLegs: false,
    legsShareSocket: true,
    legsTogether: false,
    legsWalkTogether: true,
    walkSharesSocket: candidates.length > 1,
    keptPorts: 0,
    candidatesTogether: false,
    clockIds: 0,
    slowClockIds: 0,
    idPairs: 0,
    client,
    startsWithA: first.qtype === A,
    asksMx: false,
    otherTypes: false,
    secondLegsAfterNothing: 0,
    asIsLast: candidates.length > 1 && beginsWithBase(candidates[0].name, candidates[candidates.length - 1].name),
    countedIds: 0,
    steps: 0,
    endsWithA: false,
    unsearched: isUnsearched(lookup, knowledge),
    repeats: false,
    resendsHalfway: false,
  }
  let before: Transaction | null = null
  for (let i = 0; i < candidates.length; i++) {
    const candidate = candidates[i]
    for (const t of candidate.transactions) {
      addQuery(habits, t)
      if (before !== null) {
        habits.steps++
        if (t.dnsId === ((before.dnsId + 1) & 0xffff)) habits.countedIds++
      }
      before = t
    }
    if (candidate.transactions.length > 2 && candidate.transactions.some(isRepeat)) habits.repeats = true
    if (candidate.transactions[0].clientPort !== first.clientPort) habits.walkSharesSocket = false
    if (i > 0 && isBefore(candidate, candidates[i - 1])) habits.candidatesTogether = true
    if (i > 0 && haveOnePort(candidate, candidates[i - 1])) habits.keptPorts++
    const a = firstOf(candidate, A)
    const aaaa = firstOf(candidate, AAAA)
    if (a === null || aaaa === null) {
      habits.legsWalkTogether = false
      if (i === candidates.length - 1) habits.endsWithA = a !== null && a.addresses > 0
      continue
    }
    habits.twoLegs = true
    habits.idPairs++
    if (isClockPair(a, aaaa, FAST_CLOCK)) habits.clockIds++
    if (isClockPair(a, aaaa, SLOW_CLOCK)) habits.slowClockIds++
    if (a.clientPort !== aaaa.clientPort) habits.legsShareSocket = false
    if (together(a, aaaa)) habits.legsTogether = true
    else if (aaaa.start >= a.end && a.addresses === 0) habits.secondLegsAfterNothing++
  }
  if (!habits.twoLegs) habits.legsShareSocket = false
  return habits
}

function isUnsearched({ candidates }: Lookup, { list, ndotsMin, queries }: SearchKnowledge): boolean {
  if (candidates.length > 1) return false
  const { name } = candidates[0]
  if (list.length === 0) return queries >= ENOUGH_QUERIES
  return dots(name) < (ndotsMin ?? 0) && !list.some(suffix => endsWithSuffix(name, suffix))
}

function haveOnePort(one: Candidate, other: Candidate): boolean {
  for (const { clientPort } of one.transactions)
    for (const x of other.transactions) if (x.clientPort === clientPort) return true
  return false
}

/** What is sent again after its answer, the other leg being lost, is a transaction of its own. */
const isRepeat = (t: Transaction, i: number, all: Transaction[]): boolean =>
  all.findIndex(x => x.qtype === t.qtype && x.dnsId === t.dnsId && x.clientPort === t.clientPort) < i

function addQuery(habits: Habits, t: Transaction): void {
  if (t.edns !== NONE && t.edns & EDNS_COOKIE) habits.cookie = true
  if (t.qtype === MX) habits.asksMx = true
  if (t.qtype !== A && t.qtype !== AAAA) habits.otherTypes = true
  if (t.resent) habits.repeats = true
  if (t.resent && Math.abs(t.resent[0] - t.start - 2.5 * SECOND) < 0.05 * SECOND) habits.resendsHalfway = true
}

function together(a: Transaction, b: Transaction): boolean {
  const [first, second] = a.start <= b.start ? [a, b] : [b, a]
  const gap = second.start - first.start
  // Where the answer was not captured, only what leaves sooner than any answer comes is sure to have been sent beside it.
  if (first.state === UNSEEN) return gap < SOONEST_ANSWER
  return gap < 50e6 && (Number.isNaN(first.end) || second.start < first.end)
}

const isBefore = (later: Candidate, earlier: Candidate): boolean =>
  later.transactions[0].start - earlier.transactions[0].start < 10e6 &&
  earlier.transactions.every(t => t.state === ANSWERED && t.end > later.transactions[0].start)
