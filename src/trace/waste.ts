/**
 * Waste: of all queries that a lookup sent, those that its answer did not need, each of exactly one kind, the first that holds.
 * Law: queries = needed + search + fanOut + retransmission + truncation + family. Definitions: "The numbers" in ARCHITECTURE.md.
 */
import { A, AAAA, NXDOMAIN, TC } from '../codes.ts'
import { NONE, TCP, type Time, type WasteKind } from '../model.ts'
import type { Candidate, Lookup } from './lookup.ts'
import { hasAnswer } from './outcome.ts'
import { ANSWERED, type Transaction } from './transaction.ts'

/** Copies to several servers leave within this. */
const FAN_OUT_GAP: Time = 5e6

/** Sums over one lookup's queries. */
export interface LookupWasteSums {
  queries: number
  kinds: Record<WasteKind, number>
  nxdomain: number
  /** The share of NXDOMAIN in the bytes and in the wait below. */
  nxdomainBytes: number
  nxdomainWait: Time
  /** Bytes of wasted queries and their responses; NaN where a size is unknown. */
  bytes: number
  /** Bytes of all queries and responses. */
  totalBytes: number
  /** The part of the wait during which no needed transaction was open. */
  wait: Time
}

/** True if the transaction as a whole was wasted; its retransmissions always are. */
export const isWasted = (t: Transaction): boolean => t.waste !== null

/** Sets what each of the lookup's transactions was. Its deciding candidate is known. */
export function judge(lookup: Lookup): void {
  lookup.candidates.forEach((candidate, i) => {
    if (i === lookup.deciding) judgeDeciding(candidate)
    else for (const t of candidate.transactions) t.waste = 'search'
  })
}

function judgeDeciding(candidate: Candidate): void {
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
  // A leg without an address beside one that has them.
  for (const [qtype, t] of needed) {
    const other = qtype === A ? AAAA : qtype === AAAA ? A : NONE
    if (other === NONE || anyAnswer(candidate, qtype) || !anyAnswer(candidate, other)) continue
    t.waste = 'family'
  }
}

/** Of two copies, the stub took the one that was answered first. */
function isPreferred(x: Transaction, t: Transaction): boolean {
  const endX = Number.isNaN(x.end) ? Number.POSITIVE_INFINITY : x.end
  const endT = Number.isNaN(t.end) ? Number.POSITIVE_INFINITY : t.end
  return endX < endT || (endX === endT && x.number < t.number)
}

const repeatedOverTcp = (all: Transaction[], t: Transaction): boolean =>
  all.some(x => x.qtype === t.qtype && x.transport === TCP && x.start >= t.end - 1e6)

const anyAnswer = (candidate: Candidate, qtype: number): boolean =>
  candidate.transactions.some(t => t.qtype === qtype && t.state === ANSWERED && hasAnswer(t))

export function sumWaste(lookup: Lookup): LookupWasteSums {
  const sums = noWaste()
  const needed: [Time, Time][] = []
  const denied: [Time, Time][] = []
  const until = lookup.start + lookup.wait
  for (const { transactions } of lookup.candidates) {
    for (const t of transactions) {
      addTransaction(sums, t)
      if (t.waste === null) needed.push([t.start, Number.isNaN(t.end) ? until : t.end])
      else if (t.rcode === NXDOMAIN && !Number.isNaN(t.end)) denied.push([t.start, t.end])
    }
  }
  if (!Number.isNaN(lookup.wait)) {
    const open = covered(needed, lookup.start, until)
    sums.wait = Math.max(0, lookup.wait - open)
    if (denied.length > 0) sums.nxdomainWait = covered([...needed, ...denied], lookup.start, until) - open
  }
  return sums
}

/** The waste of one candidate alone, for the table of search domains; its wait is the time during which a wasted query was open. */
export function sumCandidate(lookup: Lookup, { transactions }: Candidate): LookupWasteSums {
  const sums = noWaste()
  const open: [Time, Time][] = []
  for (const t of transactions) {
    addTransaction(sums, t)
    if (isWasted(t) && !Number.isNaN(t.end)) open.push([t.start, t.end])
  }
  sums.wait = covered(open, lookup.start, lookup.start + (Number.isNaN(lookup.wait) ? 0 : lookup.wait))
  return sums
}

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
  if (t.rcode !== NXDOMAIN) return
  sums.nxdomain += queries
  sums.nxdomainBytes += all
}

export const noWaste = (): LookupWasteSums => ({
  queries: 0,
  kinds: { search: 0, fanOut: 0, retransmission: 0, truncation: 0, family: 0 },
  nxdomain: 0,
  nxdomainBytes: 0,
  nxdomainWait: 0,
  bytes: 0,
  totalBytes: 0,
  wait: 0,
})

/** Length of the union of spans within [from, to]. */
export function covered(spans: [Time, Time][], from: Time, to: Time): Time {
  let sum = 0
  let reached = from
  if (spans.length > 1) spans.sort((a, b) => a[0] - b[0])
  for (const [start, end] of spans) {
    const begin = Math.max(start, reached)
    const finish = Math.min(end, to)
    if (finish > begin) {
      sum += finish - begin
      reached = finish
    }
  }
  return sum
}
