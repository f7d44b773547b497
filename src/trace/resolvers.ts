/**
 * The stub resolvers as rows of data: how each shows on the wire, what each outcome does to its walk, and its timers. The first row
 * that fits names the resolver; where none fits it is null. Each row links the source that it was read from.
 */
import { A, AAAA, AD, MX } from '../codes.ts'
import { EDNS_COOKIE, NONE, type Time } from '../model.ts'
import type { Candidate, Lookup } from './lookup.ts'
import { ANSWERED, type Transaction } from './transaction.ts'

export interface Resolver {
  name: string
  fits: (habits: Habits) => boolean
  /** Both families must have been answered: one NXDOMAIN makes the name missing, one silence makes the lookup fail (musl). */
  needsBothLegs: boolean
  /** The walk ends at a candidate without addresses and without NXDOMAIN. */
  stopsAtNodata: boolean
  stopsAtServfail: boolean
  /** Silence at a candidate: the walk ends, jumps to the as-is name, or goes on. */
  afterSilence: 'stop' | 'as-is' | 'next'
  /** What follows the as-is name where it has ndots dots or more: the search list, or nothing. "any dot": ndots plays no part. */
  afterEnoughDots: 'list' | 'nothing' | 'any dot'
  /** Nanoseconds from the last query that was not answered to the end of waiting for it; null where it is not known. */
  timeout: Time | null
  /** True where `timeout` counts from the candidate's first query, is twice the time between tries, and errors are waited out too (musl). */
  timeoutIsTotal: boolean
  source: string
}

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
  /** Another candidate was asked before the one before it was answered. */
  candidatesTogether: boolean
  /** Pairs of ids of A and AAAA as musl makes them from its clock, of all pairs. */
  clockIds: number
  idPairs: number
  /** The share of the client's pairs of ids that only a clock explains. */
  clientClockShare: number
  /** The first query was for A. */
  startsWithA: boolean
  asksMx: boolean
  otherTypes: boolean
  /** An unanswered query was sent again after half of 5 s (musl, BusyBox). */
  resendsHalfway: boolean
}

const SECOND = 1e9

export const RESOLVERS: Resolver[] = [
  {
    name: 'dig',
    fits: h => h.edns !== null && h.ad && h.edns !== 1200,
    needsBothLegs: false,
    stopsAtNodata: true,
    stopsAtServfail: true,
    afterSilence: 'stop',
    afterEnoughDots: 'nothing',
    timeout: 5 * SECOND,
    timeoutIsTotal: false,
    source: 'https://gitlab.isc.org/isc-projects/bind9/-/blob/main/bin/dig/dighost.c',
  },
  {
    name: 'netty',
    fits: h => h.edns === 4096 && !h.cookie,
    needsBothLegs: false,
    stopsAtNodata: false,
    stopsAtServfail: false,
    afterSilence: 'stop',
    afterEnoughDots: 'list',
    timeout: 5 * SECOND,
    timeoutIsTotal: false,
    source:
      'https://github.com/netty/netty/blob/4.2/resolver-dns/src/main/java/io/netty/resolver/dns/DnsResolveContext.java',
  },
  {
    name: 'c-ares',
    fits: h => (h.edns === 1232 && (h.cookie || h.legsShareSocket || h.walkSharesSocket)) || isSharedWalk(h),
    needsBothLegs: false,
    stopsAtNodata: false,
    stopsAtServfail: true,
    afterSilence: 'stop',
    afterEnoughDots: 'list',
    timeout: null,
    timeoutIsTotal: false,
    source: 'https://github.com/c-ares/c-ares/blob/main/src/lib/ares_getaddrinfo.c',
  },
  {
    name: 'go',
    fits: h =>
      (h.edns === 1232 && !h.ad && !h.cookie && (!h.twoLegs || !h.legsShareSocket)) ||
      (h.edns === null && h.twoLegs && !h.legsShareSocket && h.legsTogether && !h.ad),
    needsBothLegs: false,
    stopsAtNodata: false,
    stopsAtServfail: false,
    afterSilence: 'next',
    afterEnoughDots: 'list',
    timeout: 5 * SECOND,
    timeoutIsTotal: false,
    source: 'https://github.com/golang/go/blob/master/src/net/dnsclient_unix.go',
  },
  {
    name: 'busybox',
    fits: h =>
      h.edns === null &&
      ((h.candidatesTogether && h.walkSharesSocket) || (h.resendsHalfway && h.twoLegs && h.clockIds < h.idPairs)),
    needsBothLegs: false,
    stopsAtNodata: false,
    stopsAtServfail: false,
    afterSilence: 'stop',
    afterEnoughDots: 'any dot',
    timeout: 5 * SECOND,
    timeoutIsTotal: true,
    source: 'https://git.busybox.net/busybox/tree/networking/nslookup.c',
  },
  {
    name: 'host',
    fits: h => h.edns === null && h.asksMx && h.twoLegs && !h.legsTogether,
    needsBothLegs: false,
    stopsAtNodata: true,
    stopsAtServfail: true,
    afterSilence: 'stop',
    afterEnoughDots: 'nothing',
    timeout: 5 * SECOND,
    timeoutIsTotal: false,
    source: 'https://gitlab.isc.org/isc-projects/bind9/-/blob/main/bin/dig/host.c',
  },
  {
    name: 'nslookup',
    fits: h =>
      h.edns === null && h.startsWithA && h.candidates > 1 && h.twoLegs && !h.legsWalkTogether && !h.legsTogether,
    needsBothLegs: false,
    stopsAtNodata: true,
    stopsAtServfail: true,
    afterSilence: 'stop',
    afterEnoughDots: 'nothing',
    timeout: 5 * SECOND,
    timeoutIsTotal: false,
    source: 'https://gitlab.isc.org/isc-projects/bind9/-/blob/main/bin/dig/nslookup.c',
  },
  {
    name: 'musl',
    fits: h =>
      h.edns === null &&
      !h.ad &&
      ((h.resendsHalfway && !h.twoLegs) ||
        (h.twoLegs && h.legsShareSocket && h.clockIds === h.idPairs && (h.idPairs > 1 || h.clientClockShare > 0.05))),
    needsBothLegs: true,
    stopsAtNodata: true,
    stopsAtServfail: true,
    afterSilence: 'stop',
    afterEnoughDots: 'nothing',
    timeout: 5 * SECOND,
    timeoutIsTotal: true,
    source: 'https://git.musl-libc.org/cgit/musl/tree/src/network/lookup_name.c',
  },
  {
    name: 'glibc',
    fits: h =>
      (h.edns === null || h.edns === 1200) &&
      h.twoLegs &&
      (h.legsShareSocket || (h.legsWalkTogether && !h.legsTogether && h.candidates > 1)),
    needsBothLegs: false,
    stopsAtNodata: false,
    stopsAtServfail: false,
    afterSilence: 'as-is',
    afterEnoughDots: 'list',
    timeout: 5 * SECOND,
    timeoutIsTotal: false,
    source: 'https://sourceware.org/git/?p=glibc.git;a=blob;f=resolv/res_send.c',
  },
]

/** A walk from one socket, without OPT: c-ares with flags of its own. */
const isSharedWalk = (h: Habits): boolean =>
  h.edns === null && h.walkSharesSocket && !h.candidatesTogether && h.candidates > 2

/** What no row fits is treated like this: nothing stops the walk, and no timer is inferred. */
export const UNKNOWN_RESOLVER: Resolver = {
  name: '',
  fits: () => true,
  needsBothLegs: false,
  stopsAtNodata: false,
  stopsAtServfail: false,
  afterSilence: 'next',
  afterEnoughDots: 'list',
  timeout: null,
  timeoutIsTotal: false,
  source: '',
}

export const resolverOf = (habits: Habits): Resolver => RESOLVERS.find(row => row.fits(habits)) ?? UNKNOWN_RESOLVER

/**
 * Ids that musl derives from the clock: the AAAA query's is a little behind the A query's (res_mkquery.c). Of 1,950 pairs recorded from
 * musl all lie between 100 and 621; random pairs do so once in 65 times.
 */
export const isClockPair = (a: { dnsId: number }, aaaa: { dnsId: number }): boolean => {
  const delta = (aaaa.dnsId - a.dnsId) & 0xffff
  return delta >= 64 && delta < 1024
}

/** The first transaction of that type; null without. */
function firstOf({ transactions }: Candidate, qtype: number): Transaction | null {
  for (const t of transactions) if (t.qtype === qtype) return t
  return null
}

/** `clientClockShare`: see Habits. */
export function habitsOf(lookup: Lookup, clientClockShare: number): Habits {
  const { candidates } = lookup
  const first = candidates[0].transactions[0]
  const habits: Habits = {
    // Without ids and header (Hubble) nothing is known of OPT either; what is no number fits no row.
    edns: first.dnsId < 0 ? Number.NaN : first.edns === NONE ? null : first.edns & 0xffff,
    cookie: false,
    ad: (first.queryFlags & AD) !== 0,
    candidates: candidates.length,
    twoLegs: false,
    legsShareSocket: true,
    legsTogether: false,
    legsWalkTogether: true,
    walkSharesSocket: candidates.length > 1,
    candidatesTogether: false,
    clockIds: 0,
    idPairs: 0,
    clientClockShare,
    startsWithA: first.qtype === A,
    asksMx: false,
    otherTypes: false,
    resendsHalfway: false,
  }
  for (let i = 0; i < candidates.length; i++) {
    const candidate = candidates[i]
    for (const t of candidate.transactions) addQuery(habits, t)
    if (candidate.transactions[0].clientPort !== first.clientPort) habits.walkSharesSocket = false
    if (i > 0 && isBefore(candidate, candidates[i - 1])) habits.candidatesTogether = true
    const a = firstOf(candidate, A)
    const aaaa = firstOf(candidate, AAAA)
    if (a === null || aaaa === null) {
      habits.legsWalkTogether = false
      continue
    }
    habits.twoLegs = true
    habits.idPairs++
    if (isClockPair(a, aaaa)) habits.clockIds++
    if (a.clientPort !== aaaa.clientPort) habits.legsShareSocket = false
    if (together(a, aaaa)) habits.legsTogether = true
  }
  if (!habits.twoLegs) habits.legsShareSocket = false
  return habits
}

function addQuery(habits: Habits, t: Transaction): void {
  if (t.edns !== NONE && t.edns & EDNS_COOKIE) habits.cookie = true
  if (t.qtype === MX) habits.asksMx = true
  if (t.qtype !== A && t.qtype !== AAAA) habits.otherTypes = true
  if (t.resent && Math.abs(t.resent[0] - t.start - 2.5 * SECOND) < 0.05 * SECOND) habits.resendsHalfway = true
}

function together(a: Transaction, b: Transaction): boolean {
  const [first, second] = a.start <= b.start ? [a, b] : [b, a]
  return second.start - first.start < 50e6 && (Number.isNaN(first.end) || second.start < first.end)
}

const isBefore = (later: Candidate, earlier: Candidate): boolean =>
  later.transactions[0].start - earlier.transactions[0].start < 10e6 &&
  earlier.transactions.every(t => t.state === ANSWERED && t.end > later.transactions[0].start)
