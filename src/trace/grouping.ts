/**
 * Transactions of one client become lookups: legs are paired, retries joined, candidates chained. Which of the open lookups takes a
 * transaction is decided in fitting.ts; here they are kept, and closed when nothing can join them any more.
 */
import { NXDOMAIN } from '../codes.ts'
import { type AddressId, TCP, type Time } from '../model.ts'
import type { Names } from '../wire/names.ts'
import { endedBy, hasOtherId, isError, isPositive, isTorn, latest } from './candidate.ts'
import { fit, NOTHING_FITS } from './fit.ts'
import { fitOf, mayBeginWalk } from './fitting.ts'
import { exchangeLegs } from './leg-exchange.ts'
import { isLoneRetry, isUnfinished, lacksLeg } from './leg-fit.ts'
import { addTransaction, type Candidate, type Lookup, newCandidate, newLookup } from './lookup.ts'
import { NOTHING_KNOWN, type SearchKnowledge } from './search-knowledge.ts'
import type { SearchLists } from './searchlist.ts'
import { firstBase } from './step-order.ts'
import type { Steps } from './steps.ts'
import { beginsWithBase } from './suffix.ts'
import { isTimer, LEG_GAP } from './timers.ts'
import { ANSWERED, isFinal, type Transaction, UNSEEN } from './transaction.ts'
import type { Twins } from './twins.ts'

/** A lookup is closed when nothing can follow: a final answer is older than this (legs in sequence, TCP, MX), ... */
const CLOSE_FINAL: Time = 0.1e9
/** ... another answer older than this, ... */
const CLOSE_ANSWERED: Time = 1.6e9
/** ... or its unanswered queries older than this. */
const CLOSE_SILENT: Time = 9e9

/** Where no answer was captured, or the client seems not to have got it, its queries may come again, as they do after silence. */
const CLOSE_UNFINISHED: Time = 5.6e9

/** A lookup whose latest query is no older may still go on. */
const UNDER_WAY: Time = 50e6

/** Open lookups of one client for one name; where there are more, the oldest is closed. */
const MOST_OPEN = 256

/** Open lookups of all; where there are more, those are closed early that wait in silence. */
const MOST_OPEN_IN_ALL = 40_000

/**
 * Enough to believe that answers do not reach their clients; and how many lookups there may be for each point of it. With ten times as many
 * a busy server that loses nearly nothing kept all its walks open: a quarter more time, and 33 MB.
 */
const ENOUGH_EVIDENCE = 2
const MOST_PER_POINT = 100

/** Width of a slot of the calendar, in which it stands when what is open is looked at again. */
const SPAN: Time = 10e6

/** The open lookups of one client whose names have one first label: only these can take the same transaction. */
interface Bucket {
  client: AddressId
  head: number
  /** In order of start. */
  lookups: Lookup[]
  /** Until then they all stay open, unless it was touched: then a message may have changed that. */
  openUntil: Time
  isTouched: boolean
  /** Where it stands in the calendar. */
  span: number
  /** Counts from 1 in order of their making. */
  number: number
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
  private readonly twins: Twins
  private readonly closed: (lookup: Lookup) => void
  /** What was found last of a lookup that a transaction fits: whether as its next candidate, or which one it joins. */
  private next = false
  private candidate: Candidate | null = null
  private made = 0
  /** What speaks for answers that clients did not get: evidenceOfLoss. */
  private unreceived = 0
  private bucketsMade = 0
  /** How many lookups are open. */
  private open = 0
  /** Buckets that were touched since lookups were closed last; all others stand in the calendar, by the span in which they are due. */
  private touched: Bucket[] = []
  private readonly calendar = new Map<number, Bucket[]>()
  /** The latest span that was looked at. */
  private span = Number.NEGATIVE_INFINITY

  constructor(names: Names, steps: Steps, searchLists: SearchLists, twins: Twins, closed: (lookup: Lookup) => void) {
    this.names = names
    this.steps = steps
    this.searchLists = searchLists
    this.twins = twins
    this.closed = closed
  }

  /** Takes a client's transactions in order of start. */
  add(t: Transaction): void {
    const bucket = this.bucketOf(this.twins.hostOf(t.client), this.names.head(t.qname))
    this.touch(bucket)
    const knowledge = bucket.lookups.length > 0 ? this.searchLists.of(t.client, t.asked) : NOTHING_KNOWN
    let best = this.bestFor(t, bucket.lookups, knowledge)
    let points = best && !this.next && this.candidate ? evidenceOfLoss(this.candidate, t) : 0
    let isLone = points === 1 && isLoneRetry(this.candidate as Candidate, t)
    if (isLone && !this.isLossy) {
      best = null
      points = 0
      isLone = false
    }
    best ??= this.goingOn(t, bucket.lookups, knowledge)
    const { next, candidate } = this
    if (!best) {
      const lookup = this.splitOff(t, bucket.lookups) ?? this.begin(t)
      if (bucket.lookups.length >= MOST_OPEN) this.closed(bucket.lookups.shift() as Lookup)
      else this.open++
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
      if (candidates.length === 2) best.settledBase = firstBase(this.steps.of(candidates[0].qname, t.qname), knowledge)
    } else if (candidate) {
      if (isLone) best.loneRetry = t
      else this.unreceived += points
      addTransaction(candidate, t)
    }
  }

  private begin(t: Transaction): Lookup {
    const lookup = newLookup(++this.made, t, this.names.text(t.qname))
    t.lookup = lookup.number
    return lookup
  }

  /** The other family is asked as well, so what was taken for a retry of one began a lookup of its own; null where that is not so. */
  private splitOff(t: Transaction, lookups: readonly Lookup[]): Lookup | null {
    for (const before of lookups) {
      const first = before.loneRetry
      if (first === null || first.qname !== t.qname || first.qtype === t.qtype || t.start - first.start > LEG_GAP)
        continue
      const { transactions } = before.candidates[before.candidates.length - 1]
      transactions.splice(transactions.indexOf(first), 1)
      before.loneRetry = null
      before.closesAt = Number.NaN
      const lookup = this.begin(first)
      addTransaction(lookup.candidates[0], t)
      t.lookup = lookup.number
      return lookup
    }
    return null
  }

  /** The open lookup that it fits best, and how: `next` and `candidate`. */
  private bestFor(t: Transaction, lookups: readonly Lookup[], knowledge: SearchKnowledge): Lookup | null {
    let best: Lookup | null = null
    let { rank, gap } = NOTHING_FITS
    for (const lookup of lookups) {
      const itsRank = fitOf(lookup, t, this.steps, knowledge)
      if (itsRank > rank || (itsRank === rank && itsRank > 0 && fit.gap < gap)) {
        best = lookup
        rank = itsRank
        gap = fit.gap
        this.next = fit.next
        this.candidate = fit.candidate
      }
    }
    return best
  }

  /** The one of equal lookups at once that goes on with it, though none seemed to have its answers; null for what may begin a walk. */
  private goingOn(t: Transaction, lookups: readonly Lookup[], knowledge: SearchKnowledge): Lookup | null {
    if (lookups.length < 2 || knowledge.list.length === 0) return null
    if (mayBeginWalk(this.names.text(t.qname), knowledge)) return null
    const freed = exchangeLegs(lookups, t.start)
    return freed === null ? null : this.bestFor(t, [freed], knowledge)
  }

  private bucketOf(client: AddressId, head: number): Bucket {
    const chain = chainOf(client, head)
    for (let bucket = this.chains[chain]; bucket !== null; bucket = bucket.next)
      if (bucket.client === client && bucket.head === head) return bucket
    const number = ++this.bucketsMade
    const bucket = {
      client,
      head,
      lookups: [],
      openUntil: 0,
      isTouched: false,
      span: 0,
      number,
      next: this.chains[chain],
    }
    this.chains[chain] = bucket
    this.buckets.add(bucket)
    return bucket
  }

  private remove(bucket: Bucket): void {
    bucket.span = Number.NaN
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
    if (all) this.closeOf([...this.buckets], now, true, seen)
    else this.closeOf(this.takeDue(now), now, false, seen)
    if (this.open > MOST_OPEN_IN_ALL) this.closeOf([...this.buckets], now + CLOSE_SILENT / 2, false, seen)
    if (this.open > MOST_OPEN_IN_ALL) this.closeOf([...this.buckets], now, true, seen)
  }

  /** The buckets of which something may have to be closed at `now`, in order of their making. */
  private takeDue(now: Time): Bucket[] {
    const due = this.touched
    this.touched = []
    const last = Math.floor(now / SPAN)
    for (const span of this.spansUntil(last)) {
      const entered = this.calendar.get(span) as Bucket[]
      const later: Bucket[] = []
      for (const bucket of entered) {
        // It may have been touched, and entered elsewhere, meanwhile.
        if (bucket.isTouched || bucket.span !== span) continue
        if (now <= bucket.openUntil) later.push(bucket)
        else {
          // It may stand there twice.
          bucket.span = Number.NaN
          due.push(bucket)
        }
      }
      if (later.length > 0) this.calendar.set(span, later)
      else this.calendar.delete(span)
    }
    this.span = Math.max(this.span, last)
    return due.sort((a, b) => a.number - b.number)
  }

  private spansUntil(last: number): number[] {
    const spans: number[] = []
    // A clock may leap by years.
    if (last - this.span > this.calendar.size) {
      for (const span of this.calendar.keys()) if (span <= last) spans.push(span)
    } else for (let span = this.span; span <= last; span++) if (this.calendar.has(span)) spans.push(span)
    return spans
  }

  private closeOf(buckets: readonly Bucket[], now: Time, all: boolean, seen: Time): void {
    for (const bucket of buckets) {
      const { lookups } = bucket
      const before = lookups.length
      let kept = 0
      let openUntil = Number.POSITIVE_INFINITY
      for (const lookup of lookups) {
        const at = this.closesAt(lookup)
        if (all || now > at) this.closed(lookup)
        else {
          lookups[kept++] = lookup
          // What had no response until `seen` is not closed by one before.
          openUntil = Math.min(openUntil, Number.isNaN(lookup.closesAt) ? Math.min(at, seen) : at)
        }
      }
      this.open -= before - kept
      bucket.isTouched = false
      if (kept < before) lookups.length = kept
      if (kept === 0) this.remove(bucket)
      else this.enter(bucket, openUntil)
    }
  }

  /** The time after which nothing more can join a lookup. */
  private closesAt(lookup: Lookup): Time {
    if (!Number.isNaN(lookup.closesAt)) return lookup.closesAt
    const candidate = lookup.candidates[lookup.candidates.length - 1]
    const after = this.closesAfter(lookup, candidate)
    let at = 0
    let settled = true
    for (const t of candidate.transactions) {
      if (Number.isNaN(t.end)) settled = false
      const end = Number.isNaN(t.end)
        ? t.lastQuery + CLOSE_SILENT
        : t.end + (t.state === UNSEEN ? CLOSE_UNFINISHED : after)
      if (end > at) at = end
    }
    if (settled) lookup.closesAt = at
    return at
  }

  /** How long after an answer to its last candidate. */
  private closesAfter(lookup: Lookup, candidate: Candidate): Time {
    // Where A was denied musl goes on, but waits its time for the other leg before.
    if (candidate.transactions.some(isError))
      return candidate.transactions[0].rcode === NXDOMAIN ? CLOSE_UNFINISHED : CLOSE_ANSWERED
    if (candidate.transactions.some(isTorn)) return CLOSE_UNFINISHED
    const [{ client, asked }] = candidate.transactions
    // Its other leg was lost on its way here, and comes again.
    if (lacksLeg(lookup) && !this.searchLists.of(client, asked).isTorn) return CLOSE_UNFINISHED
    if (isPositive(candidate) || (lookup.candidates.length > 1 && isBare(lookup, candidate)))
      return this.isLossy ? CLOSE_UNFINISHED : CLOSE_FINAL + this.searchLists.lagOf(client)
    return isUnfinished(lookup, this.searchLists.of(client, asked)) ? CLOSE_UNFINISHED : CLOSE_ANSWERED
  }

  /** Answers that the capture shows do not reach their clients: what ends a walk may be asked for again, too. */
  private get isLossy(): boolean {
    return this.unreceived >= ENOUGH_EVIDENCE && this.unreceived * MOST_PER_POINT >= this.made
  }

  /** To be looked at again after that time. */
  private enter(bucket: Bucket, openUntil: Time): void {
    bucket.openUntil = openUntil
    bucket.span = Math.max(this.span, Math.floor(openUntil / SPAN))
    const entered = this.calendar.get(bucket.span)
    if (entered) entered.push(bucket)
    else this.calendar.set(bucket.span, [bucket])
  }

  /** A message may change what is known of it. */
  private touch(bucket: Bucket): void {
    if (bucket.isTouched) return
    bucket.isTouched = true
    this.touched.push(bucket)
  }
}

function chainOf(client: AddressId, head: number): number {
  const hash = Math.imul(client, 0x9e37_79b1) ^ Math.imul(head, 0x85eb_ca6b)
  return (hash ^ (hash >>> 15)) & (CHAINS - 1)
}

/** A timer fired, though the capture shows a final answer: one id is proof, and two queries that have ids of their own are. */
function evidenceOfLoss({ transactions }: Candidate, t: Transaction): number {
  const twin = latest(transactions, t.qtype)
  if (twin === null || twin.state !== ANSWERED || !isFinal(twin) || twin.transport === TCP) return 0
  if (!endedBy(twin, t.start) || !isTimer(t.start - twin.lastQuery)) return 0
  // Some programs give all their queries one id.
  if (twin.dnsId === t.dnsId) return hasOtherId(transactions, t) ? ENOUGH_EVIDENCE : 0
  // What asks for one family may ask for it every few seconds.
  return transactions.some(x => x.qtype !== t.qtype) ? 1 : 0
}

/** A walk that came to the name as it is has no further candidate. */
const isBare = (lookup: Lookup, candidate: Candidate): boolean =>
  beginsWithBase(lookup.candidates[0].name, candidate.name)
