/**
 * Waste: of all queries that a lookup sent, those that its answer did not need, each of exactly one kind, the first that holds.
 * Law: queries = needed + search + fanOut + retransmission + truncation + family. Definitions: "The numbers" in ARCHITECTURE.md.
 */
import { A, AAAA, NXDOMAIN, TC } from '../codes.ts'
import { NONE, TCP, type Time, type WasteKind } from '../model.ts'
import { type Candidate, type Lookup, transactionsOf } from './lookup.ts'
import { hasAnswer } from './outcome.ts'
import { Spans } from './spans.ts'
import { FAN_OUT_GAP, SHORTEST_TIMEOUT } from './timers.ts'
import { ANSWERED, CLOCK_SLACK, type Transaction, UNSEEN } from './transaction.ts'

/** Sums over one lookup's queries. */
export interface LookupWasteSums {
  queries: number
  kinds: Record<WasteKind, number>
  nxdomain: number
  /** Wasted queries whose responses were not captured, so that nobody knows of an NXDOMAIN. */
  untold: number
  /** The share of NXDOMAIN in the bytes and in the wait below. */
  nxdomainBytes: number
  nxdomainWait: Time
  /** Bytes of wasted queries and their responses; NaN where a size is unknown. */
  bytes: number
  /** Bytes of all queries and responses. */
  totalBytes: number
  /** The part of the wait during which no needed transaction was open. */
  wait: Time
  /** Of it, what the resolver waited for answers that did not come: fewer queries make that rarer, and no shorter. */
  silentWait: Time
}

/** True if the transaction as a whole was wasted; its retransmissions always are. */
export const isWasted = (t: Transaction): boolean => t.waste !== null

/** Sets what each of the lookup's transactions was. Its deciding candidate is known. */
export function judge(lookup: Lookup): void {
  const { candidates, deciding } = lookup
  // Which candidate decided was not captured: nothing shows that a query was wasted.
  const others: WasteKind | null = lookup.partial && lookup.outcome === 'not-captured' ? null : 'search'
  for (let i = 0; i < candidates.length; i++) {
    if (i === deciding && others !== null) judgeDeciding(candidates[i])
    else for (const t of candidates[i].transactions) t.waste = others
  }
}

function judgeDeciding(candidate: Candidate): void {
  const [first, second] = candidate.transactions
  if (candidate.transactions.length === 2 && first.qtype !== second.qtype) {
    // Each leg asked once: nearly all.
    first.waste = second.waste = null
    judgeFamily(candidate, first)
    judgeFamily(candidate, second)
    return
  }
  const needed = new Map<number, Transaction>()
  for (const t of candidate.transactions) {
    const all = candidate.transactions
    let first: WasteKind | null = null
    const copies = all.filter(
      x => x.qtype === t.qtype && x.asked !== t.asked && Math.abs(x.start - t.start) < FAN_OUT_GAP,
    )
    if (copies.some(x => isPreferred(x, t))) first = 'fanOut'
    else if (t.state === ANSWERED && t.responseFlags & TC && t.transport !== TCP && repeatedOverTcp(all, t))
      first = 'truncation'
    else if (needed.has(t.qtype)) first = 'retransmission'
    t.waste = first
    if (first === null) needed.set(t.qtype, t)
  }
  for (const t of needed.values()) judgeFamily(candidate, t)
}

/** A leg without an address beside one that has them. */
function judgeFamily(candidate: Candidate, t: Transaction): void {
  const other = t.qtype === A ? AAAA : t.qtype === AAAA ? A : NONE
  if (other !== NONE && !anyAnswer(candidate, t.qtype) && anyAnswer(candidate, other)) t.waste = 'family'
}

/** The stub took `x` rather than its copy `t`: the one that was answered first. */
function isPreferred(x: Transaction, t: Transaction): boolean {
  const endX = Number.isNaN(x.end) ? Number.POSITIVE_INFINITY : x.end
  const endT = Number.isNaN(t.end) ? Number.POSITIVE_INFINITY : t.end
  return endX < endT || (endX === endT && x.number < t.number)
}

const repeatedOverTcp = (all: Transaction[], t: Transaction): boolean =>
  all.some(x => x.qtype === t.qtype && x.transport === TCP && x.start >= t.end - CLOCK_SLACK)

function anyAnswer({ transactions }: Candidate, qtype: number): boolean {
  for (const t of transactions) if (t.qtype === qtype && t.state === ANSWERED && hasAnswer(t)) return true
  return false
}

/**
 * The waste of each candidate alone: the wait of each is the time during which a wasted query of it was open. Valid until the next call.
 */
export function sumCandidates({ candidates, start, wait, deciding }: Lookup): readonly LookupWasteSums[] {
  const until = start + (Number.isNaN(wait) ? 0 : wait)
  while (candidateSums.length < candidates.length) candidateSums.push(noWaste())
  for (let i = 0; i < candidates.length; i++) {
    const sums = candidateSums[i]
    clearWaste(sums)
    spans.clear()
    // While something that is needed is open nobody waits for what is not.
    let open = 0
    if (i === deciding) {
      for (const t of candidates[i].transactions)
        if (t.waste === null) spans.add(t.start, Number.isNaN(t.end) ? until : t.end)
      open = spans.covered(start, until)
    }
    for (const t of candidates[i].transactions) {
      addTransaction(sums, t)
      if (t.waste !== null && !Number.isNaN(t.end)) spans.add(t.start, t.end)
    }
    sums.wait = spans.covered(start, until) - open
  }
  return candidateSums
}

/** `parts`: of its candidates. */
export function sumWaste(lookup: Lookup, parts = sumCandidates(lookup)): LookupWasteSums {
  const { candidates, start, wait } = lookup
  const sums = noWaste()
  for (let i = 0; i < candidates.length; i++) addWaste(sums, parts[i])
  sums.wait = 0
  if (Number.isNaN(wait)) return sums
  const until = start + wait
  addNeeded(candidates, until)
  const open = spans.covered(start, until)
  sums.wait = Math.max(0, wait - open)
  if (sums.nxdomain > 0) {
    for (const { transactions } of candidates)
      for (const t of transactions)
        if (t.waste !== null && t.rcode === NXDOMAIN && !Number.isNaN(t.end)) spans.add(t.start, t.end)
    sums.nxdomainWait = spans.covered(start, until) - open
  }
  if (sums.wait >= SHORTEST_TIMEOUT) sums.silentWait = silentWaitOf(lookup, until) - open
  return sums
}

/** Fills `spans` with the times during which what is needed was open. */
function addNeeded(candidates: readonly Candidate[], until: Time): void {
  spans.clear()
  for (const { transactions } of candidates)
    for (const t of transactions) if (t.waste === null) spans.add(t.start, Number.isNaN(t.end) ? until : t.end)
}

/**
 * How long something that is needed was open, or a question waited until it was asked again, or until the walk went on without an answer.
 * Rare, so a walk over all for each will do.
 */
function silentWaitOf(lookup: Lookup, until: Time): Time {
  const { candidates, start } = lookup
  addNeeded(candidates, until)
  for (const { transactions } of candidates) {
    for (const t of transactions) {
      if (t.lastQuery - t.start >= SHORTEST_TIMEOUT) spans.add(t.start, t.lastQuery)
      const again = firstAfter(transactions, t, t.qtype)
      if (again !== null) spans.add(t.lastQuery, again)
      else if (Number.isNaN(t.end)) spans.add(t.lastQuery, firstAfter(transactionsOf(lookup), t, NONE) ?? until)
    }
  }
  return spans.covered(start, until)
}

/** When a query of this type, or of any, went out after a timer; null where none did. */
function firstAfter(transactions: readonly Transaction[], { lastQuery }: Transaction, qtype: number): Time | null {
  let first: Time | null = null
  for (const x of transactions) {
    if (x.start - lastQuery < SHORTEST_TIMEOUT || (qtype !== NONE && x.qtype !== qtype)) continue
    if (first === null || x.start < first) first = x.start
  }
  return first
}

/** Wasted queries whose response was NXDOMAIN; null where none of their responses was captured. */
export const nxdomainOf = ({ nxdomain, untold }: LookupWasteSums): number | null =>
  untold > 0 && nxdomain === 0 ? null : nxdomain

/** Used for all that is added up here, one after the other. */
const spans = new Spans()
const candidateSums: LookupWasteSums[] = []

function addTransaction(sums: LookupWasteSums, t: Transaction): void {
  const first = t.waste
  const queries = 1 + t.retransmissions
  const querySize = t.querySize === NONE ? Number.NaN : t.querySize
  const responseSize = Number.isNaN(t.end) || t.responseSize === NONE ? 0 : t.responseSize
  const all = querySize * queries + responseSize
  sums.queries += queries
  sums.totalBytes += all
  if (first === null) {
    sums.kinds.retransmission += t.retransmissions
    sums.bytes += querySize * t.retransmissions
    return
  }
  sums.kinds[first] += first === 'search' || first === 'retransmission' ? queries : 1
  if (first !== 'search' && first !== 'retransmission') sums.kinds.retransmission += t.retransmissions
  sums.bytes += all
  if (t.state === UNSEEN) sums.untold += queries
  if (t.rcode !== NXDOMAIN) return
  sums.nxdomain += queries
  sums.nxdomainBytes += all
}

export function noWaste(): LookupWasteSums {
  return {
    queries: 0,
    kinds: { search: 0, fanOut: 0, retransmission: 0, truncation: 0, family: 0 },
    nxdomain: 0,
    untold: 0,
    nxdomainBytes: 0,
    nxdomainWait: 0,
    bytes: 0,
    totalBytes: 0,
    wait: 0,
    silentWait: 0,
  }
}

function clearWaste(sums: LookupWasteSums): void {
  const { kinds } = sums
  sums.queries = kinds.search = kinds.fanOut = kinds.retransmission = kinds.truncation = kinds.family = 0
  sums.untold =
    sums.nxdomain =
    sums.nxdomainBytes =
    sums.nxdomainWait =
    sums.bytes =
    sums.totalBytes =
    sums.wait =
    sums.silentWait =
      0
}

export function addWaste(sum: LookupWasteSums, more: LookupWasteSums): void {
  sum.queries += more.queries
  sum.kinds.search += more.kinds.search
  sum.kinds.fanOut += more.kinds.fanOut
  sum.kinds.retransmission += more.kinds.retransmission
  sum.kinds.truncation += more.kinds.truncation
  sum.kinds.family += more.kinds.family
  sum.nxdomain += more.nxdomain
  sum.untold += more.untold
  sum.nxdomainBytes += more.nxdomainBytes
  sum.nxdomainWait += more.nxdomainWait
  sum.bytes += more.bytes
  sum.totalBytes += more.totalBytes
  sum.wait += more.wait
  sum.silentWait += more.silentWait
}
