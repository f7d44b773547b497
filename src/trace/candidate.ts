/**
 * What a candidate's transactions had come to at some time: what fitting.ts asks of them. The decision looks only at what had happened then.
 *
 * These are functions of their own, not arrow functions within their askers: where one is, V8 makes an object of all that it may look at each
 * time the asker is called, and these are called for every query.
 */
import { A, AAAA, NOERROR, NXDOMAIN, TC } from '../codes.ts'
import { CONTENT_CUT, HAS_CNAME, TCP, type Time } from '../model.ts'
import type { Candidate } from './lookup.ts'
import { ANSWERED, type Transaction, UNREACHED } from './transaction.ts'

/** Clock granularity: an answer may bear a later time than the query that it let loose. */
export const SLACK: Time = 0.1e6
/** glibc asks everything again when this many addresses do not fit its first buffer. */
const BUFFER_ADDRESSES = 24

/** The second leg may leave in the moment in which the error of the first arrives. */
const SOCKET_SLACK: Time = 1e6

export const isFamily = (qtype: number): boolean => qtype === A || qtype === AAAA

/** Some transaction left from the same port under another id. */
export function hasOtherIdAtPort(all: Transaction[], t: Transaction): boolean {
  for (const x of all) if (x.clientPort === t.clientPort && x.dnsId !== t.dnsId) return true
  return false
}

export function hasOtherId(all: Transaction[], t: Transaction): boolean {
  for (const { dnsId } of all) if (dnsId !== t.dnsId) return true
  return false
}

/** The same stub resolver as far as one query shows: flags and OPT. Cookies come and go with the server (c-ares). */
export const sameProfile = (a: Transaction, b: Transaction): boolean =>
  a.queryFlags === b.queryFlags && (a.edns < 0 ? -1 : a.edns & 0x1ffff) === (b.edns < 0 ? -1 : b.edns & 0x1ffff)

export const endedBy = (t: Transaction, time: Time): boolean => t.end <= time + SLACK

export function lastQueryBefore(t: Transaction, time: Time): Time {
  let last = t.start
  if (t.resent) for (const resent of t.resent) if (resent < time) last = resent
  return last
}

/** The same query to another server (musl). */
const isCopy = (x: Transaction, t: Transaction): boolean => x.dnsId === t.dnsId && x.clientPort === t.clientPort

export const isTruncated = (t: Transaction): boolean => t.state === ANSWERED && (t.responseFlags & TC) !== 0

/** One leg was answered, and the other, asked beside it, not yet asked again: all do that before they go on. */
export function awaitsRetry({ transactions }: Candidate): boolean {
  if (transactions.length !== 2) return false
  const [first, second] = transactions
  if (first.retransmissions > 0 || second.retransmissions > 0 || Number.isNaN(first.end) === Number.isNaN(second.end))
    return false
  return Number.isNaN(first.end) || second.start < first.end
}

/** When the latest answer of a candidate came, or its first query where none was seen; long ago where one was still to come. */
export function lastSeen({ transactions }: Candidate, time: Time): Time {
  let last = transactions[0].start
  for (const x of transactions) {
    if (x.end > time + SLACK) return Number.NEGATIVE_INFINITY
    if (x.end > last) last = x.end
  }
  return last
}

/** The latest that had not ended by then. */
export function latestSilent(all: Transaction[], time: Time): Transaction | null {
  for (let i = all.length - 1; i >= 0; i--) if (!endedBy(all[i], time)) return all[i]
  return null
}

/** When any of it was last sent. */
export function lastQueryOf({ transactions }: Candidate): Time {
  let last = Number.NEGATIVE_INFINITY
  for (const { lastQuery } of transactions) if (lastQuery > last) last = lastQuery
  return last
}

/** When what had not ended by then was last sent. */
export function lastSilentQuery({ transactions }: Candidate, time: Time): Time {
  let last = Number.NEGATIVE_INFINITY
  for (const x of transactions) if (!endedBy(x, time)) last = Math.max(last, lastQueryBefore(x, time))
  return last
}

/** Some transaction of another type left from the same port, since then. */
export function hasOtherTypeAtPort(
  all: Transaction[],
  t: Transaction,
  since: Time = Number.NEGATIVE_INFINITY,
): boolean {
  for (const x of all) if (x.qtype !== t.qtype && x.clientPort === t.clientPort && x.start >= since) return true
  return false
}

export function hasTcpSince(all: Transaction[], since: Time): boolean {
  for (const x of all) if (x.transport === TCP && x.start >= since) return true
  return false
}

/** More addresses than glibc's first buffer takes, or as many as did not fit UDP. */
export function isLarge({ transactions }: Candidate): boolean {
  let overTcp = false
  let truncated = false
  for (const t of transactions) {
    if (t.addresses >= BUFFER_ADDRESSES) return true
    if (t.transport === TCP) overTcp = true
    else if (isTruncated(t)) truncated = true
  }
  return overTcp && truncated
}

/** Another try of the same leg was answered by then, and not with an error, so that nobody waited for this one. */
function isAnsweredElsewhere({ transactions }: Candidate, t: Transaction, time: Time): boolean {
  for (const x of transactions)
    if (x !== t && x.qtype === t.qtype && endedBy(x, time) && !isError(x) && (x.end >= t.start || isCopy(x, t)))
      return true
  return false
}

export const isError = (t: Transaction): boolean =>
  t.state === UNREACHED || (t.state === ANSWERED && t.rcode !== NOERROR && t.rcode !== NXDOMAIN)

/** A was denied, and AAAA brought an error or nothing, asked again: musl goes on to the next candidate, but not at once. */
export function isHalfDenied({ transactions }: Candidate, time: Time): boolean {
  const [a] = transactions
  if (a.qtype !== A || a.rcode !== NXDOMAIN || !endedBy(a, time)) return false
  let tries = 0
  for (const t of transactions) {
    if (t.qtype !== AAAA) continue
    if (endedBy(t, time) && !isError(t)) return false
    tries += 1 + t.retransmissions
  }
  return tries > 1
}

export function latest(transactions: Transaction[], qtype: number): Transaction | null {
  for (let i = transactions.length - 1; i >= 0; i--) if (transactions[i].qtype === qtype) return transactions[i]
  return null
}

/**
 * The error that ended the try of a query that was never answered: a connected socket reports it to who waits for the other leg on it as well
 * (glibc). Null without.
 */
export function errorOnSocket({ transactions }: Candidate, t: Transaction): Transaction | null {
  if (!Number.isNaN(t.end)) return null
  for (const x of transactions)
    if (x.state === UNREACHED && x.clientPort === t.clientPort && x.end >= t.lastQuery - SOCKET_SLACK) return x
  return null
}

/** When the last leg of a candidate was answered, as seen at `time`; NaN while one was still open. A copy elsewhere may stay open. */
export function settledAt(candidate: Candidate, time: Time): Time {
  let at = Number.NaN
  for (const t of candidate.transactions) {
    if (endedBy(t, time)) {
      if (Number.isNaN(at) || t.end > at) at = t.end
      continue
    }
    const error = errorOnSocket(candidate, t)
    if (error !== null && endedBy(error, time)) continue
    if (!isAnsweredElsewhere(candidate, t, time)) return Number.NaN
  }
  return at
}

/** Larger than any packet on Ethernet, and than those of overlays: such an answer comes in fragments. */
export const FRAGMENTED = 1500

/** Answered over UDP in fragments, of which not all are in the capture: the client may have as little of it. */
export const isTorn = (t: Transaction): boolean =>
  t.state === ANSWERED && t.transport !== TCP && t.responseSize > FRAGMENTED && (t.content & CONTENT_CUT) !== 0

/**
 * The walk ends at a candidate with addresses or other records, unless one leg says that the name does not exist: musl goes on then. It asks
 * for both from one port; where each leg has a port of its own, one with addresses is enough (Go).
 */
export function isPositive({ transactions }: Candidate): boolean {
  let positive: Transaction | null = null
  let denied: Transaction | null = null
  for (const t of transactions) {
    if (t.state !== ANSWERED) continue
    if (t.rcode === NXDOMAIN) denied = t
    else if (hasRecords(t)) positive = t
  }
  if (positive === null || denied === null) return positive !== null
  return positive.qtype !== denied.qtype && positive.clientPort !== denied.clientPort && positive.transport !== TCP
}

/** Records that end a walk: for an address a CNAME alone does not. */
const hasRecords = (t: Transaction): boolean =>
  t.rcode === NOERROR && t.answerCount > 0 && !(t.addresses === 0 && t.content & HAS_CNAME && isFamily(t.qtype))
