/** chain-budget: a lookup waits out its timer on several candidates in turn. */
import type { AddressId, Time } from '../model.ts'
import { plural, roughDuration, share } from '../quantities.ts'
import type { Candidate, Lookup } from '../trace/lookup.ts'
import { Tally } from '../trace/tally.ts'
import { SHORTEST_TIMEOUT } from '../trace/timers.ts'
import { ANSWERED, isUntold } from '../trace/transaction.ts'
import { FrameSample } from './frame-sample.ts'
import { type Concluded, type Draft, type Observer, type Rule, serversOf, sureFrom } from './rule.ts'
import { type World, whoAll, zoneOf } from './world.ts'

/** One candidate that waits is a lost packet; from two on the search list multiplies it. */
const MIN_CANDIDATES = 2
const MIN_LOOKUPS = 2
/** Connection and request timeouts of many clients. */
const PATIENCE: Time = 5e9
/** Findings that say why a server was silent. */
const CAUSES = ['coredns-unreachable', 'server-outage', 'five-second-wait', 'upstream-silent']

export const chainBudget: Rule = {
  code: 'chain-budget',
  severity: 'warning',
  title: 'A lookup waits out its timer once for every search domain',
  means:
    'When a server is silent, each candidate of a search costs the whole timeout of the resolver, times its attempts. With four search domains five seconds become twenty-five, long after the application has given up: "connection timed out" in its log hides a DNS server that was silent for a while.',
  why: 'Resolvers treat each candidate as a query of its own, with all tries. glibc waits timeout (5 s) times attempts (2) times servers for the first candidate and then as long for the name itself; c-ares and Netty wait on every candidate; Go has 5 s for each try.',
  todo: 'Remove the cause of the silence first (see the other findings). Then shorten the chain: a smaller ndots or a dot at the end of names, and "options timeout:1 attempts:2" for glibc, so that a lookup fails within the time that the application has.',
  evidence: `Lookups in which at least ${MIN_CANDIDATES} candidates had a query that was not answered and took ${SHORTEST_TIMEOUT / 1e9} s or more each. Silent below ${MIN_LOOKUPS} such lookups, or where none of them took ${PATIENCE / 1e9} s in all.`,
  links: [
    'https://man7.org/linux/man-pages/man5/resolv.conf.5.html',
    'https://github.com/netty/netty/issues/8880',
    'https://github.com/kubernetes/kubernetes/issues/59031',
  ],
  shownBy: ['test/findings/chain-budget.txt', 'recordings 05-coredns-down and 06-loss-slow-timeout'],
  begin: world => new ChainBudget(world),
}

class ChainBudget implements Observer {
  private readonly world: World
  private all = 0
  private lookups = 0
  private longest: Time = 0
  /** Of the longest. */
  private name = ''
  private candidates = 0
  private readonly clients = new Tally<AddressId, true>(() => true)
  private readonly servers = new Tally<AddressId, true>(() => true)
  /** Where the address that was asked is translated, the servers behind it. */
  private readonly silent = new Tally<AddressId, true>(() => true)
  private readonly frames = new FrameSample()

  constructor(world: World) {
    this.world = world
  }

  lookup(lookup: Lookup): void {
    this.all++
    const { candidates } = lookup
    if (candidates.length < MIN_CANDIDATES || !(lookup.wait >= MIN_CANDIDATES * SHORTEST_TIMEOUT)) return
    let slow = 0
    const end = lookup.start + lookup.wait
    for (let i = 0; i < candidates.length; i++) {
      const until = i + 1 < candidates.length ? candidates[i + 1].transactions[0].start : end
      if (until - candidates[i].transactions[0].start >= SHORTEST_TIMEOUT && hasSilence(candidates[i])) slow++
    }
    if (slow < MIN_CANDIDATES) return
    this.lookups++
    this.clients.of(lookup.client)
    for (const { transactions } of candidates) {
      this.servers.of(transactions[0].asked)
      this.silent.of(transactions[0].server)
    }
    this.frames.add(candidates[0].transactions[0])
    if (lookup.wait <= this.longest) return
    this.longest = lookup.wait
    this.name = lookup.base
    this.candidates = slow
  }

  conclude(earlier: readonly Concluded[]): Draft[] {
    if (zoneOf(this.world) === null || this.lookups < MIN_LOOKUPS || this.longest < PATIENCE) return []
    const servers = [...this.servers.keys()]
    const asked = [...servers, ...this.silent.keys()]
    const cause = CAUSES.find(code => asked.some(server => serversOf(earlier, code).has(server)))
    const first = cause === undefined ? '' : `First mend what ${cause} tells of: it is why nothing came. Then s`
    return [
      {
        what: `${plural(this.lookups, 'lookup')} waited for ${whoAll(this.world, servers)} on several candidates in turn, the longest ${roughDuration(this.longest / 1e6)}: ${this.name}, ${this.candidates} candidates that were not answered in time (${share(this.lookups, this.all)} of all lookups).`,
        why: 'The timeout holds for each candidate anew, with all attempts.',
        advice: `${first || 'S'}horten the chain (ndots, a dot at the end of names) and the timeout of the resolver.`,
        snippet: `spec:
  template:
    spec:
      dnsConfig:
        options:
          - name: timeout
            value: "1"
          - name: ndots
            value: "2"`,
        count: this.lookups,
        share: this.lookups / this.all,
        clients: this.clients.keys(),
        servers,
        frames: this.frames,
        confidence: sureFrom(this.lookups, MIN_LOOKUPS),
      },
    ]
  }
}

/** A query got nothing before it was asked again or given up. */
const hasSilence = ({ transactions }: Candidate): boolean =>
  transactions.some(
    t => (t.retransmissions > 0 && t.lastQuery - t.start >= SHORTEST_TIMEOUT) || (t.state !== ANSWERED && !isUntold(t)),
  )
