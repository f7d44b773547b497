/**
 * The stub resolvers as rows of data: how each shows on the wire, what each outcome does to its walk, and its timers. The first row
 * that fits names the resolver; where none fits it is null. Each row links the source that it was read from.
 */
import type { Time } from '../model.ts'
import { clockShare, type Habits, isClocked } from './habits.ts'

export interface Resolver {
  name: string
  /** How packets show it, in words and as a test; null where they do not. */
  shows: string
  fits: ((habits: Habits) => boolean) | null
  /** Both families must have been answered: one NXDOMAIN makes the name missing, one silence makes the lookup fail (musl). */
  needsBothLegs: boolean
  /** One silence makes a lookup without an address fail, though the other family was denied (Netty). */
  failsAtSilence: boolean
  /** The walk ends at a candidate without addresses and without NXDOMAIN. */
  stopsAtNodata: boolean
  stopsAtServfail: boolean
  /** Silence at a candidate: the walk ends, jumps to the as-is name, or goes on. */
  afterSilence: 'stop' | 'as-is' | 'next'
  /**
   * What follows the as-is name where it has ndots dots or more: the search list, or nothing. "any dot": ndots plays no part, a name with a
   * dot is asked as it is, one without is only searched; "any dot, list": and the first is searched after that.
   */
  afterEnoughDots: 'list' | 'nothing' | 'any dot' | 'any dot, list'
  /** A and AAAA at the same time, one after the other, or AAAA (or A) only for a name that A (or AAAA) found or did not find. */
  legs: 'together' | 'in turn' | 'AAAA of the winner' | 'AAAA after nothing' | 'one type'
  /** Which queries leave from one port. */
  socket: 'candidate' | 'query' | 'walk'
  /** False where it makes do with an answer that was cut for UDP (musl before 1.2.4, BusyBox); all others ask again over TCP. */
  overTcp: boolean
  /** Queries for a candidate at one silent server, and what a repetition keeps. */
  tries: number | null
  repeats: 'id and port' | 'id' | 'nothing' | null
  /** Keeps answers to single candidates, so that any of a walk may be missing. */
  caches: boolean
  /** Nanoseconds from the last query that was not answered to the end of waiting for it; null where it is not known. */
  timeout: Time | null
  /** True where `timeout` counts from the candidate's first query, is twice the time between tries, and errors are waited out too (musl). */
  timeoutIsTotal: boolean
  source: string
}

const SECOND = 1e9

/** What no row fits is treated like this: nothing stops the walk, and no timer is inferred. A row says where it differs. */
const UNKNOWN_RESOLVER: Resolver = {
  name: '',
  shows: '',
  fits: null,
  needsBothLegs: false,
  failsAtSilence: false,
  stopsAtNodata: false,
  stopsAtServfail: false,
  afterSilence: 'next',
  afterEnoughDots: 'list',
  legs: 'together',
  socket: 'candidate',
  overTcp: true,
  tries: null,
  repeats: null,
  caches: true,
  timeout: null,
  timeoutIsTotal: false,
  source: '',
}

export const RESOLVERS: Resolver[] = [
  {
    ...UNKNOWN_RESOLVER,
    name: 'dig',
    shows: 'OPT 1232 with AD and a cookie, one type, one candidate at a time',
    fits: h => h.edns !== null && h.ad && h.edns !== 1200 && (h.cookie || !h.twoLegs),
    stopsAtNodata: true,
    stopsAtServfail: true,
    afterSilence: 'stop',
    afterEnoughDots: 'nothing',
    legs: 'one type',
    socket: 'query',
    tries: 3,
    repeats: 'id',
    caches: false,
    timeout: 5 * SECOND,
    source: 'https://gitlab.isc.org/isc-projects/bind9/-/blob/main/bin/dig/dighost.c',
  },
  {
    ...UNKNOWN_RESOLVER,
    name: 'netty',
    shows: 'OPT 4096',
    fits: h => h.edns === 4096 && !h.cookie,
    failsAtSilence: true,
    afterSilence: 'stop',
    socket: 'walk',
    tries: 1,
    timeout: 5 * SECOND,
    source:
      'https://github.com/netty/netty/blob/4.2/resolver-dns/src/main/java/io/netty/resolver/dns/DnsResolveContext.java',
  },
  {
    ...UNKNOWN_RESOLVER,
    name: 'c-ares',
    shows:
      'OPT 1232 and one port for both legs and the whole walk, a cookie at first; or one port without OPT; after silence two',
    fits: h =>
      (h.edns === 1232 && (h.cookie || h.legsShareSocket || h.walkSharesSocket)) ||
      isSharedWalk(h) ||
      isWalkOfTwoPorts(h),
    stopsAtServfail: true,
    afterSilence: 'stop',
    socket: 'walk',
    tries: 3,
    repeats: 'id',
    source: 'https://github.com/c-ares/c-ares/blob/main/src/lib/ares_getaddrinfo.c',
  },
  {
    ...UNKNOWN_RESOLVER,
    name: 'go',
    shows: 'OPT 1232 and a port for each query; AAAA often first',
    fits: h =>
      (h.edns === 1232 && !h.cookie && !h.asksMx && (h.twoLegs ? !h.legsShareSocket : !h.ad)) ||
      (h.edns === null &&
        h.twoLegs &&
        !h.legsShareSocket &&
        h.legsTogether &&
        !h.ad &&
        h.client.sharedWalks <= h.client.walks / 2),
    socket: 'query',
    tries: 2,
    repeats: 'nothing',
    caches: false,
    timeout: 5 * SECOND,
    source: 'https://github.com/golang/go/blob/master/src/net/dnsclient_unix.go',
  },
  {
    ...UNKNOWN_RESOLVER,
    name: 'busybox',
    shows: 'All candidates at once from one port, A of all and then AAAA of all',
    fits: h =>
      h.edns === null &&
      ((h.candidatesTogether && h.walkSharesSocket) || (h.resendsHalfway && h.twoLegs && !hasClockIds(h))),
    afterSilence: 'stop',
    afterEnoughDots: 'any dot',
    socket: 'walk',
    overTcp: false,
    tries: 2,
    repeats: 'id and port',
    caches: false,
    timeout: 5 * SECOND,
    timeoutIsTotal: true,
    source: 'https://git.busybox.net/busybox/tree/networking/nslookup.c',
  },
  {
    ...UNKNOWN_RESOLVER,
    name: 'erlang',
    shows: 'Ids count: each query has the next one; one type, a port for each query',
    fits: h => h.edns === null && !h.twoLegs && !h.asIsLast && h.steps > 0 && h.countedIds === h.steps,
    afterEnoughDots: 'any dot, list',
    legs: 'one type',
    socket: 'query',
    tries: 3,
    repeats: 'id',
    source: 'https://github.com/erlang/otp/blob/master/lib/kernel/src/inet_res.erl',
  },
  {
    ...UNKNOWN_RESOLVER,
    name: 'hickory',
    shows: 'AAAA follows where A brought nothing, from a new port; the name that A finds is not asked for AAAA',
    fits: h =>
      h.edns === null &&
      h.startsWithA &&
      h.candidates > 1 &&
      !h.legsShareSocket &&
      h.endsWithA &&
      h.secondLegsAfterNothing === h.candidates - 1 &&
      h.idPairs === h.candidates - 1,
    legs: 'AAAA after nothing',
    socket: 'query',
    tries: 2,
    timeout: 5 * SECOND,
    source: 'https://github.com/hickory-dns/hickory-dns/blob/main/crates/resolver/src/lookup_ip.rs',
  },
  {
    ...UNKNOWN_RESOLVER,
    name: 'host',
    shows: 'A alone walks; then AAAA and MX of the name that won, each from a new port',
    fits: h => h.edns === null && h.asksMx && h.twoLegs && !h.legsTogether,
    stopsAtNodata: true,
    stopsAtServfail: true,
    afterSilence: 'stop',
    afterEnoughDots: 'nothing',
    legs: 'AAAA of the winner',
    socket: 'query',
    tries: 2,
    repeats: 'id',
    caches: false,
    timeout: 5 * SECOND,
    source: 'https://gitlab.isc.org/isc-projects/bind9/-/blob/main/bin/dig/host.c',
  },
  {
    ...UNKNOWN_RESOLVER,
    name: 'nslookup',
    shows: 'A alone walks; then AAAA of the name that won, from a new port',
    fits: h =>
      h.edns === null && h.startsWithA && h.candidates > 1 && h.idPairs === 1 && !h.legsWalkTogether && !h.legsTogether,
    stopsAtNodata: true,
    stopsAtServfail: true,
    afterSilence: 'stop',
    afterEnoughDots: 'nothing',
    legs: 'AAAA of the winner',
    socket: 'query',
    tries: 3,
    repeats: 'id',
    caches: false,
    timeout: 5 * SECOND,
    source: 'https://gitlab.isc.org/isc-projects/bind9/-/blob/main/bin/dig/nslookup.c',
  },
  {
    ...UNKNOWN_RESOLVER,
    name: 'musl',
    shows: 'The id of AAAA is that of A and a little: both come from the clock; repeated after half of 5 s',
    fits: h =>
      h.edns === null &&
      !h.ad &&
      ((h.resendsHalfway && !h.twoLegs) || (h.twoLegs && h.legsShareSocket && hasClockIds(h))),
    needsBothLegs: true,
    stopsAtNodata: true,
    stopsAtServfail: true,
    afterSilence: 'stop',
    afterEnoughDots: 'nothing',
    overTcp: false,
    tries: 2,
    repeats: 'id and port',
    caches: false,
    timeout: 5 * SECOND,
    timeoutIsTotal: true,
    source: 'https://git.musl-libc.org/cgit/musl/tree/src/network/lookup_name.c',
  },
  {
    ...UNKNOWN_RESOLVER,
    name: 'glibc',
    shows: 'A and AAAA from one port with unrelated ids, a new port for each candidate; OPT 1200 with edns0',
    fits: h =>
      (h.edns === null || h.edns === 1200) &&
      h.twoLegs &&
      (h.legsShareSocket || (h.legsWalkTogether && !h.legsTogether && h.candidates > 1)),
    afterSilence: 'as-is',
    tries: 2,
    repeats: 'id and port',
    caches: false,
    timeout: 5 * SECOND,
    source: 'https://sourceware.org/git/?p=glibc.git;a=blob;f=resolv/res_send.c',
  },
  {
    ...UNKNOWN_RESOLVER,
    name: 'systemd-resolved',
    shows: 'Nothing of its own: OPT and its size change with what the server was seen to bear',
    afterEnoughDots: 'any dot',
    socket: 'query',
    source: 'https://github.com/systemd/systemd/blob/main/src/resolve/resolved-dns-transaction.c',
  },
  {
    ...UNKNOWN_RESOLVER,
    name: 'windows',
    shows: 'Nothing of its own',
    afterEnoughDots: 'any dot',
    socket: 'query',
    source: 'https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#dns-windows',
  },
]

/** A walk from one socket, without OPT: c-ares with flags of its own. A pair alone shows it where all other walks of its client do. */
const isSharedWalk = (h: Habits): boolean => {
  if (h.edns !== null || h.candidatesTogether) return false
  if (h.walkSharesSocket && h.candidates > 2) return true
  const { walks, sharedWalks } = h.client
  return sharedWalks > 1 && sharedWalks >= walks * NEARLY_ALL && h.twoLegs && h.legsShareSocket && !hasClockIds(h)
}

/** The same after silence: each leg goes on from a port of its own. Once in some thousand walks ports repeat by chance. */
const isWalkOfTwoPorts = (h: Habits): boolean =>
  (h.edns === null || h.edns === 1232) && h.keptPorts > 1 && h.twoLegs && !h.legsShareSocket && !h.candidatesTogether

/** Walks at once may exchange candidates. */
const NEARLY_ALL = 0.95

/** One pair may be chance, and two of a client that has many others; not where it has more of them. */
const hasClockIds = ({ client, clockIds, slowClockIds, idPairs }: Habits): boolean => {
  if (isClocked(client)) return slowClockIds * 2 > idPairs
  if (clockIds < idPairs) return false
  return clockShare(client) > 0.05 || idPairs > (client.pairs < MANY_OTHERS ? 1 : 2)
}

/** Pairs of ids of a client of which two look like a clock's by chance. */
const MANY_OTHERS = 16

/**
 * The name to tell. A pair from one port without OPT is what glibc sends, but also BusyBox, and c-ares where the application does not let
 * it search: only a search, or a query sent again, tells them apart. Nor does a single pair tell of whom it is where its client has both.
 * That it is treated like glibc's harms nobody.
 */
export const labelOf = (
  { name }: Resolver,
  { unsearched, repeats, candidates, client, twoLegs, otherTypes }: Habits,
): string | null => {
  if (name === '') return null
  // Browsers and others ask for HTTPS records beside the addresses; no stub resolver does.
  if (twoLegs && otherTypes && WITH_ADDRESSES_ALONE.includes(name)) return null
  // One query alone, with the OPT that others send as well (unbound-host).
  if (name === 'go' && unsearched && !twoLegs) return null
  const mayBeOthers = unsearched || (candidates === 1 && client.sharedWalks > 0)
  return name === 'glibc' && mayBeOthers && !repeats ? null : name
}

/** What they ask for is both families, or another type alone. */
const WITH_ADDRESSES_ALONE: readonly string[] = ['glibc', 'musl', 'go']

const BY_NAME: ReadonlyMap<string, Resolver> = new Map(RESOLVERS.map(row => [row.name, row]))

/** The row of that name; the unknown one for any other. */
export const resolverNamed = (name: string | null): Resolver => BY_NAME.get(name ?? '') ?? UNKNOWN_RESOLVER

/** One that is not known, but for its timers: those of the resolver that its client's other lookups told. */
export function withTimersOf(usual: Resolver): Resolver {
  if (usual.name === '') return UNKNOWN_RESOLVER
  let known = TIMED.get(usual.name)
  if (known === undefined) {
    const { tries, repeats, timeout, timeoutIsTotal } = usual
    known = { ...UNKNOWN_RESOLVER, tries, repeats, timeout, timeoutIsTotal }
    TIMED.set(usual.name, known)
  }
  return known
}

const TIMED = new Map<string, Resolver>()

export const resolverOf = (habits: Habits): Resolver => RESOLVERS.find(row => row.fits?.(habits)) ?? UNKNOWN_RESOLVER
