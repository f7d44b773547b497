/**
 * Transactions of one client become lookups: legs are paired, retries joined, candidates chained. Which of the open lookups takes a
 * transaction is decided in fitting.ts; here they are kept, and closed when nothing can join them any more.
 */
import type { AddressId, Time } from '../model.ts'
import type { Names } from '../wire/names.ts'
import { fit, fitOf, isError, isPositive, NOTHING_FITS } from './fitting.ts'
import { addTransaction, type Candidate, type Lookup, newCandidate, newLookup } from './lookup.ts'
import type { Profiles } from './profiles.ts'
import type { SearchLists } from './searchlist.ts'
import type { Steps } from './steps.ts'
import { beginsWithBase } from './suffix.ts'
import type { Transaction } from './transaction.ts'

/** A lookup is closed when nothing can follow: a final answer is older than this (legs in sequence, TCP, MX), ... */
const CLOSE_FINAL: Time = 0.1e9
/** ... another answer older than this, ... */
const CLOSE_ANSWERED: Time = 1.6e9
/** ... or its unanswered queries older than this. */
const CLOSE_SILENT: Time = 9e9

/** A lookup whose latest query is no older may still go on. */
const UNDER_WAY: Time = 50e6

/** Open lookups of one client for one name; where there are more, the oldest is closed. */
const MOST_OPEN = 256

/** Open lookups of all; where there are more, those are closed early that wait in silence. */
const MOST_OPEN_IN_ALL = 40_000

/** The open lookups of one client whose names have one first label: only these can take the same transaction. */
interface Bucket {
  client: AddressId
  head: number
  /** In order of start. */
  lookups: Lookup[]
  /** Until then they all stay open; 0 while a message may change that. */
  openUntil: Time
  /** In its chain. */
  next: Bucket | null
}

/** Chains of buckets, a power of two: about as many as there are lookups open on a busy server. */
const CHAINS = 4096

export class Grouping {
  private readonly chains = new Array<Bucket | null>(CHAINS).fill(null)
  /** All buckets, in order of their making. */
  private readonly buckets = new Set<Bucket>()
  private readonly steps: Steps
  private readonly names: Names
  private readonly searchLists: SearchLists
  private readonly profiles: Profiles
  private readonly closed: (lookup: Lookup) => void
  private made = 0

  constructor(
    names: Names,
    steps: Steps,
    searchLists: SearchLists,
    profiles: Profiles,
    closed: (lookup: Lookup) => void,
  ) {
    this.names = names
    this.steps = steps
    this.searchLists = searchLists
    this.profiles = profiles
    this.closed = closed
  }

  /** Takes a client's transactions in order of start. */
  add(t: Transaction): void {
    const bucket = this.bucketOf(this.profiles.clientOf(t.client), this.names.head(t.qname))
    bucket.openUntil = 0
    let best: Lookup | null = null
    let { rank, gap, next, candidate } = NOTHING_FITS
    if (bucket.lookups.length > 0) {
      const knowledge = this.searchLists.of(t.client, t.asked)
      for (const lookup of bucket.lookups) {
        const itsRank = fitOf(lookup, t, this.steps, knowledge)
        if (itsRank > rank || (itsRank === rank && itsRank > 0 && fit.gap < gap)) {
          best = lookup
          rank = itsRank
          gap = fit.gap
          next = fit.next
          candidate = fit.candidate
        }
      }
    }
    if (!best) {
      const lookup = newLookup(++this.made, t, this.names.text(t.qname))
      t.lookup = lookup.number
      if (bucket.lookups.length >= MOST_OPEN) this.closed(bucket.lookups.shift() as Lookup)
      for (const other of bucket.lookups) if (t.start - other.latest <= UNDER_WAY) lookup.crowded = other.crowded = true
      bucket.lookups.push(lookup)
      return
    }
    t.lookup = best.number
    best.closesAt = Number.NaN
    if (t.start > best.latest) best.latest = t.start
    if (next) {
      const { candidates } = best
      candidates.push(newCandidate(this.names.text(t.qname), t))
      if (candidates.length === 2) best.settledBase = this.steps.of(candidates[0].qname, t.qname).common
    } else if (candidate) addTransaction(candidate, t)
  }

  private bucketOf(client: AddressId, head: number): Bucket {
    const chain = chainOf(client, head)
    for (let bucket = this.chains[chain]; bucket !== null; bucket = bucket.next)
      if (bucket.client === client && bucket.head === head) return bucket
    const bucket = { client, head, lookups: [], openUntil: 0, next: this.chains[chain] }
    this.chains[chain] = bucket
    this.buckets.add(bucket)
    return bucket
  }

  private remove(bucket: Bucket): void {
    this.buckets.delete(bucket)
    const chain = chainOf(bucket.client, bucket.head)
    let before: Bucket | null = null
    for (let at = this.chains[chain]; at !== null; before = at, at = at.next) {
      if (at !== bucket) continue
      if (before === null) this.chains[chain] = bucket.next
      else before.next = bucket.next
      return
    }
  }

  /** Start of the oldest open lookup; infinity without one. */
  get oldest(): Time {
    let oldest = Number.POSITIVE_INFINITY
    for (const { lookups } of this.buckets) for (const lookup of lookups) oldest = Math.min(oldest, lookup.start)
    return oldest
  }

  /** Closes what can have no successor at `now`; everything when `all`. All messages until `seen` are known, and that is later. */
  close(now: Time, all: boolean, seen: Time): void {
    let left = this.closeUntil(now, all, seen)
    if (left > MOST_OPEN_IN_ALL) left = this.closeUntil(now + CLOSE_SILENT / 2, false, seen)
    if (left > MOST_OPEN_IN_ALL) this.closeUntil(now, true, seen)
  }

  /** Returns how many stay open. */
  private closeUntil(now: Time, all: boolean, seen: Time): number {
    let left = 0
    for (const bucket of this.buckets) {
      const { lookups } = bucket
      if (!all && now <= bucket.openUntil) {
        left += lookups.length
        continue
      }
      let kept = 0
      let openUntil = Number.POSITIVE_INFINITY
      for (const lookup of lookups) {
        const at = closesAt(lookup)
        if (all || now > at) this.closed(lookup)
        else {
          lookups[kept++] = lookup
          // What had no response until `seen` is not closed by one before.
          openUntil = Math.min(openUntil, Number.isNaN(lookup.closesAt) ? Math.min(at, seen) : at)
        }
      }
      bucket.openUntil = openUntil
      if (kept === 0) this.remove(bucket)
      else if (kept < lookups.length) lookups.length = kept
      left += kept
    }
    return left
  }
}

function chainOf(client: AddressId, head: number): number {
  const hash = Math.imul(client, 0x9e37_79b1) ^ Math.imul(head, 0x85eb_ca6b)
  return (hash ^ (hash >>> 15)) & (CHAINS - 1)
}

/** The time after which nothing more can join a lookup. */
function closesAt(lookup: Lookup): Time {
  if (!Number.isNaN(lookup.closesAt)) return lookup.closesAt
  const candidate = lookup.candidates[lookup.candidates.length - 1]
  const final = isPositive(candidate) || (lookup.candidates.length > 1 && isBare(lookup, candidate))
  const after = final && !candidate.transactions.some(isError) ? CLOSE_FINAL : CLOSE_ANSWERED
  let at = 0
  let settled = true
  for (const t of candidate.transactions) {
    if (Number.isNaN(t.end)) settled = false
    const end = Number.isNaN(t.end) ? t.lastQuery + CLOSE_SILENT : t.end + after
    if (end > at) at = end
  }
  if (settled) lookup.closesAt = at
  return at
}

/** A walk that came to the name as it is has no further candidate. */
const isBare = (lookup: Lookup, candidate: Candidate): boolean =>
  beginsWithBase(lookup.candidates[0].name, candidate.name)
