/** slow-upstream: the servers that the cluster's DNS asks take long; seen at them, or inferred from what names take long. */
import { AA, AAAA, RA } from '../codes.ts'
import { type AddressId, NONE, type Time } from '../model.ts'
import { count, plural, roughDuration, share } from '../quantities.ts'
import type { Hop } from '../trace/hop.ts'
import { type Lookup, transactionsOf } from '../trace/lookup.ts'
import { Tally } from '../trace/tally.ts'
import { ANSWERED, type Transaction } from '../trace/transaction.ts'
import { Domains } from './domains.ts'
import { FrameSample } from './frame-sample.ts'
import type { Draft, Observer, Rule } from './rule.ts'
import { serverRole, type World, whoAll } from './world.ts'

/** A resolver far away that has to ask others needs a tenth of it. */
const SLOW: Time = 0.5e9
/** One name may be slow for reasons of its own; so many answers, and such a share of them, are not. */
const MIN_SLOW = 10
const MIN_SHARE = 0.02
const BAD_SHARE = 0.1
/** Fewer do where they came in steps of a timer. */
const MIN_IN_STEPS = 5
const MIN_SHARE_IN_STEPS = 0.005
/** Answers about the cluster's own names that show that the server itself is quick, and how much rarer slow ones are among these. */
const ENOUGH_OWN = 50
const RARER = 5
/** CoreDNS gives each try at an upstream this long. */
const TRY: Time = 2e9
const TRY_EARLY: Time = 20e6
const TRY_LATE: Time = 80e6
const NEARLY_ALL = 0.9
const MOST_DOMAINS = 50

export const slowUpstream: Rule = {
  code: 'slow-upstream',
  severity: 'problem',
  title: 'The upstream servers are slow',
  means:
    "Answers about names outside the cluster take half a second and more, and those about the cluster's own do not: the cluster's DNS waits for the servers that it asks. Pods wait as long for each name that is in no cache, longer where the search list goes there first, and resolvers that ask again meanwhile double the load.",
  why: 'The upstream is overloaded, far away, throttles (a cloud limits queries per interface), or waits itself for servers that are slow. Where answers come after 2, 4 or 6 s, one of several upstreams does not answer at all: CoreDNS gives each try 2 s before it asks the next one.',
  todo: 'Ask each upstream from a node, a few times. Take one that is silent out of `forward`, or bring it back; `policy sequential` and `health_check` decide how soon CoreDNS avoids it. A larger cache (`cache 300`, `serve_stale`) hides some of it, and fewer search queries that leave the cluster relieve it.',
  evidence: `Where queries to upstream servers were captured: ${MIN_SLOW} answers of one, and ${MIN_SHARE * 100} % of all, took ${SLOW / 1e9} s and more. Else inferred, where clients alone were captured: as many about names outside the cluster, while of at least ${ENOUGH_OWN} about its own names slow ones are ${RARER} times as rare. Where they took 2, 4 or 6 s, ${MIN_IN_STEPS} and ${MIN_SHARE_IN_STEPS * 100} % do. Queries that were sent again do not count.`,
  links: [
    'https://coredns.io/plugins/forward/',
    'https://coredns.io/plugins/cache/',
    'https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html#vpc-dns-limits',
  ],
  shownBy: ['test/findings/slow-upstream.txt', 'recording 06-loss-slow-timeout'],
  begin: world => new SlowUpstream(world),
}

class Times {
  answers = 0
  slow = 0
  /** Slow ones that took a whole number of tries at silent upstreams. */
  inSteps = 0
  longest: Time = 0
  /** Slow ones for AAAA, and with EDNS; and how many bear that at all. */
  aaaa = 0
  slowWithEdns = 0
  withEdns = 0
  readonly domains = new Domains(MOST_DOMAINS)
  readonly servers = new Set<AddressId>()
  readonly clients = new Set<AddressId>()
  readonly frames = new FrameSample()

  /** `wait`: without that for others. */
  add(world: World, t: Transaction, wait: Time, client: AddressId): void {
    this.answers++
    if (t.edns !== NONE) this.withEdns++
    if (wait < SLOW) return
    this.slow++
    if (t.qtype === AAAA) this.aaaa++
    if (t.edns !== NONE) this.slowWithEdns++
    if (wait >= TRY - TRY_EARLY && (wait + TRY_EARLY) % TRY <= TRY_EARLY + TRY_LATE) this.inSteps++
    this.longest = Math.max(this.longest, wait)
    this.servers.add(t.server)
    this.clients.add(client)
    this.frames.add(t)
    this.domains.add(world, t)
  }

  get isSlow(): boolean {
    if (this.inSteps >= MIN_IN_STEPS && this.isInSteps) return this.slow >= MIN_SHARE_IN_STEPS * this.answers
    return this.slow >= MIN_SLOW && this.slow >= MIN_SHARE * this.answers
  }

  /** Nearly all took a whole number of tries. */
  get isInSteps(): boolean {
    return this.inSteps >= NEARLY_ALL * this.slow
  }
}

class SlowUpstream implements Observer {
  private readonly world: World
  private readonly upstreams = new Tally<AddressId, Times>(() => new Times())
  /** What clients asked the cluster's DNS about its own names, and about others. */
  private readonly own = new Times()
  private readonly outside = new Times()
  /** Lookups of which a query took long. */
  private lookups = 0

  constructor(world: World) {
    this.world = world
  }

  lookup(lookup: Lookup): void {
    if (lookup.wait >= SLOW && transactionsOf(lookup).some(t => isTimed(t) && t.end - t.start >= SLOW)) this.lookups++
  }

  hop({ transaction: t, forwarder, lookup, role, ownMs }: Hop): void {
    if (!isTimed(t)) return
    if (role === 'upstream') {
      const own = ownMs === null ? t.end - t.start : ownMs * 1e6
      this.upstreams.of(t.server).add(this.world, t, own, lookup?.client ?? t.client)
    } else if (lookup && !forwarder)
      (this.isOwn(t) ? this.own : this.outside).add(this.world, t, t.end - t.start, t.client)
  }

  /** The kubernetes plugin knows it: a service's name, or an answer with authority that offers no recursion. */
  private isOwn(t: Transaction): boolean {
    if (t.qname !== NONE && this.world.tables.names.isService(t.qname)) return true
    return (t.responseFlags & AA) !== 0 && (t.responseFlags & RA) === 0
  }

  conclude(): Draft[] {
    const seen = [...this.upstreams].filter(
      ([address, times]) => times.isSlow && serverRole(this.world, address) === 'upstream',
    )
    if (seen.length > 0) return seen.sort((a, b) => b[1].slow - a[1].slow).map(([, times]) => this.draft(times, false))
    const { own, outside } = this
    const isElsewhere = own.answers >= ENOUGH_OWN && own.slow * RARER * outside.answers <= outside.slow * own.answers
    // Whose own queries were captured has them told by name, or else they are quick.
    const isHidden = ![...outside.servers].some(server => this.world.trace.serving.isVisible(server))
    return outside.isSlow && isElsewhere && isHidden ? [this.draft(outside, true)] : []
  }

  private draft(times: Times, inferred: boolean): Draft {
    const { answers, slow, longest, servers, isInSteps, aaaa, slowWithEdns, withEdns } = times
    const { domain, count: most } = times.domains.top
    const isOneDomain = most >= NEARLY_ALL * slow
    const isAaaa = aaaa === slow
    const isEdns = slowWithEdns === slow && withEdns < NEARLY_ALL * answers
    const told = whoAll(this.world, servers)
    const what = inferred
      ? `${told} took ${roughDuration(SLOW / 1e6)} and more for ${count(slow)} of ${plural(answers, 'answer')} about names outside the cluster (${share(slow, answers)}), up to ${roughDuration(longest / 1e6)}, and for ${this.own.slow === 0 ? 'none' : count(this.own.slow)} of ${count(this.own.answers)} about the cluster's own: what it asks is slow, which was not captured.`
      : `${told} took ${roughDuration(SLOW / 1e6)} and more for ${count(slow)} of ${plural(answers, 'answer')} (${share(slow, answers)}), up to ${roughDuration(longest / 1e6)}.`
    const parts = [
      isOneDomain ? ` ${most === slow ? 'All' : count(most)} of these are names of ${domain}.` : '',
      isAaaa ? ' All of these are for AAAA.' : '',
      isEdns ? ' All of these were asked with EDNS.' : '',
      isInSteps ? ' They came in steps of 2 s.' : '',
      this.lookups > 0 ? ` ${plural(this.lookups, 'lookup')} waited for it.` : '',
    ]
    return {
      severity: slow >= BAD_SHARE * answers ? 'problem' : 'warning',
      what: what + parts.join(''),
      why: isEdns
        ? 'Queries with EDNS are dropped or held up, there or on the way: by a firewall, or an old server.'
        : isAaaa
          ? 'Queries for AAAA are dropped or held up, there or on the way: broken servers and firewalls do that.'
          : isInSteps
            ? 'One of the upstreams does not answer: CoreDNS gives each try 2 s, and then asks the next one.'
            : isOneDomain
              ? `The servers of ${domain} are slow, not those that were asked.`
              : 'They are overloaded, far away, throttle, or wait for others.',
      advice: isEdns
        ? 'Compare "dig +edns=0" and "dig +noedns" at each upstream from a node.'
        : isAaaa
          ? 'Compare "dig AAAA" and "dig A" at each upstream from a node: a name without AAAA needs an empty answer, not silence.'
          : isInSteps
            ? 'Ask each server behind "forward" from a node; take the one that is silent out, or bring it back.'
            : isOneDomain
              ? `Ask the servers of ${domain} themselves; their owner has to act.`
              : 'Ask the upstream servers from a node, some times each; look at their load and at limits of the cloud.',
      snippet: `for i in 1 2 3 4 5; do dig @${inferred ? 'UPSTREAM' : this.world.tables.addresses.text([...servers][0])} ${isOneDomain ? domain : 'kubernetes.io'} A +tries=1 | grep 'Query time'; done`,
      count: slow,
      share: slow / answers,
      clients: times.clients,
      servers,
      frames: times.frames,
      confidence: inferred ? 'medium' : 'high',
      names: isOneDomain ? [domain] : [],
    }
  }
}

/** Answered, and nobody asked twice: its time is the server's. */
const isTimed = (t: Transaction): boolean =>
  t.state === ANSWERED && t.retransmissions === 0 && !Number.isNaN(t.end) && !t.withoutQuery
