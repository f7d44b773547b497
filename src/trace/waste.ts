/**
 * Waste: of all queries that a lookup sent, those that its answer did not need, each of exactly one kind, the first that holds.
 * Law: queries = needed + search + fanOut + retransmission + truncation + family. Definitions: "The numbers" in ARCHITECTURE.md.
 */
import { A, AAAA, NXDOMAIN, TC } from '../codes.ts'
import { NONE, TCP, type Time, WASTE_KINDS, type WasteKind } from '../model.ts'
import type { Candidate, Lookup } from './lookup.ts'
import { transactionsOf } from './lookup.ts'
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
  const sums: LookupWasteSums = {
    queries: 0,
    kinds: noWaste(),
    nxdomain: 0,
    nxdomainBytes: 0,
    nxdomainWait: 0,
    bytes: 0,
    totalBytes: 0,
    wait: 0,
  }
  const neededSpans: [Time, Time][] = []
  const deniedSpans: [Time, Time][] = []
  for (const t of transactionsOf(lookup)) {
    const first = t.waste
    const queries = 1 + t.retransmissions
    const querySize = t.querySize === NONE ? Number.NaN : t.querySize
    const responseSize = Number.isNaN(t.end) || t.responseSize === NONE ? 0 : t.responseSize
    sums.queries += queries
    sums.totalBytes += querySize * queries + responseSize
    if (first === null) {
      sums.kinds.retransmission += t.retransmissions
      sums.bytes += querySize * t.retransmissions
      neededSpans.push([t.start, Number.isNaN(t.end) ? lookup.start + lookup.wait : t.end])
    } else {
      sums.kinds[first] += first === 'search' || first === 'retransmission' ? queries : 1
      if (first !== 'search' && first !== 'retransmission') sums.kinds.retransmission += t.retransmissions
      sums.bytes += querySize * queries + responseSize
      if (t.rcode === NXDOMAIN) {
        sums.nxdomain += queries
        sums.nxdomainBytes += querySize * queries + responseSize
        if (!Number.isNaN(t.end)) deniedSpans.push([t.start, t.end])
      }
    }
  }
  if (!Number.isNaN(lookup.wait)) {
    const until = lookup.start + lookup.wait
    const needed = covered(neededSpans, lookup.start, until)
    sums.wait = Math.max(0, lookup.wait - needed)
    sums.nxdomainWait = covered([...neededSpans, ...deniedSpans], lookup.start, until) - needed
  }
  return sums
}

export const noWaste = (): Record<WasteKind, number> =>
  Object.fromEntries(WASTE_KINDS.map(kind => [kind, 0])) as Record<WasteKind, number>

/** Length of the union of spans within [from, to]. */
export function covered(spans: [Time, Time][], from: Time, to: Time): Time {
  let sum = 0
  let reached = from
  for (const [start, end] of spans.sort((a, b) => a[0] - b[0])) {
    const begin = Math.max(start, reached)
    const finish = Math.min(end, to)
    if (finish > begin) {
      sum += finish - begin
      reached = finish
    }
  }
  return sum
}
