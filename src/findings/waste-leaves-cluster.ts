/** waste-leaves-cluster: queries that only tried search domains go on to the upstream servers. */
import { NXDOMAIN } from '../codes.ts'
import { type AddressId, NONE, type Time } from '../model.ts'
import { count, listed, plural, share } from '../quantities.ts'
import { rootOf } from '../trace/causes.ts'
import type { Hop } from '../trace/hop.ts'
import { Tally } from '../trace/tally.ts'
import { isWasted } from '../trace/waste.ts'
import { FrameSample } from './frame-sample.ts'
import type { Concluded, Draft, Observer, Rule } from './rule.ts'
import { nameOf, serverRole, type World, whoAll, zoneOf } from './world.ts'

/** Fewer than this no upstream server notices. */
const MIN_QUERIES = 20
/** Over less time than this a rate is a burst. */
const MIN_SECONDS = 5
/** Below this share the upstream's load is somebody else's. */
const MIN_SHARE = 0.2

/** Findings that say whose waste it is. */
const CAUSES = ['ndots-waste', 'useless-suffix']

export const wasteLeavesCluster: Rule = {
  code: 'waste-leaves-cluster',
  severity: 'warning',
  title: 'Wasted queries leave the cluster',
  means:
    'Part of what CoreDNS or NodeLocal DNSCache asks its upstream servers are names that no application wanted: full names with a search domain behind them. The upstream answers NXDOMAIN each time. Resolvers of clouds limit the packets per second and begin to drop.',
  why: 'CoreDNS knows only the domain of the cluster. A search domain of the node, such as that of a cloud or a company, is for it a foreign name like any other, so it forwards the query. The same happens where pods ask an upstream directly and have a search list.',
  todo: 'Stop the cause (a smaller ndots, a dot at the end of names, no foreign search domain). Until then CoreDNS can answer NXDOMAIN itself for a search domain that holds nothing, with the template plugin, and a longer denial cache keeps repeated misses inside.',
  evidence: `Queries to servers with the role upstream that a wasted query of a lookup caused, or that are one. Silent below ${MIN_QUERIES} of them or ${MIN_SHARE * 100} % of all queries to upstream servers.`,
  links: [
    'https://coredns.io/plugins/template/',
    'https://coredns.io/plugins/cache/',
    'https://github.com/kubernetes/kubernetes/issues/14051',
  ],
  shownBy: [
    'samples/01-glibc-clusterip.pcap',
    'test/findings/waste-leaves-cluster.txt',
    'recordings 01, 03, 04, 06, 09, 10, 11, 12, 14',
  ],
  begin: world => new WasteLeavesCluster(world),
}

interface Server {
  first: Time
  last: Time
  queries: number
  wasted: number
  /** Of these, asked by the clients themselves, past the cluster's DNS. */
  direct: number
  nxdomain: number
  example: number
  clients: Set<AddressId>
  /** The one added last: a lookup's hops come one after the other. */
  lastClient: AddressId
  frames: FrameSample
}

class WasteLeavesCluster implements Observer {
  private readonly world: World
  private readonly servers = new Tally<AddressId, Server>(() => ({
    first: Number.POSITIVE_INFINITY,
    last: 0,
    queries: 0,
    wasted: 0,
    direct: 0,
    nxdomain: 0,
    example: NONE,
    clients: new Set(),
    lastClient: NONE,
    frames: new FrameSample(),
  }))

  constructor(world: World) {
    this.world = world
  }

  hop({ transaction: t, lookup }: Hop): void {
    if (!lookup) return
    const server = this.servers.of(t.server)
    server.queries += 1 + t.retransmissions
    if (t.start < server.first) server.first = t.start
    if (t.start > server.last) server.last = t.start
    if (!isWasted(rootOf(t))) return
    server.wasted += 1 + t.retransmissions
    if (t.causes === null) server.direct += 1 + t.retransmissions
    if (t.rcode !== NXDOMAIN) return
    server.nxdomain++
    if (server.lastClient !== lookup.client) {
      server.lastClient = lookup.client
      server.clients.add(lookup.client)
    }
    server.frames.add(t)
    if (server.example === NONE) server.example = t.qname
  }

  conclude(earlier: readonly Concluded[]): Draft[] {
    if (zoneOf(this.world) === null) return []
    // Where the cloud's resolver is the cluster's own DNS, nothing stands in front of it that could deny a search domain.
    const upstreams = [...this.servers].filter(
      ([address]) =>
        serverRole(this.world, address) === 'upstream' && !this.world.trace.endpoints.servesCluster(address),
    )
    const sum = (value: (server: Server) => number): number => upstreams.reduce((n, [, server]) => n + value(server), 0)
    const queries = sum(server => server.queries)
    const wasted = sum(server => server.wasted)
    if (wasted < MIN_QUERIES || wasted < MIN_SHARE * queries) return []
    const worst = upstreams.sort((a, b) => b[1].wasted - a[1].wasted).filter(([, server]) => server.nxdomain > 0)
    const nxdomain = sum(s => s.nxdomain)
    // Of queries alone nothing is known of their answers.
    const denied = nxdomain > 0 ? `, ${count(nxdomain)} of them answered NXDOMAIN` : ''
    const example = worst.length > 0 ? `, such as ${nameOf(this.world, worst[0][1].example)}` : ''
    const seconds =
      (Math.max(...upstreams.map(([, s]) => s.last)) - Math.min(...upstreams.map(([, s]) => s.first))) / 1e9
    const rate = seconds >= MIN_SECONDS ? `; ${perSecond(wasted / seconds)} wasted queries a second` : ''
    const frames = new FrameSample()
    for (const [, server] of worst) frames.addAll(server.frames)
    const isDirect = sum(server => server.direct) * 2 > wasted
    const causes = CAUSES.filter(code => earlier.some(finding => finding.code === code))
    const see = causes.length > 0 ? `See ${listed(causes, 2)} for the cause. ` : ''
    const [domain] = earlier.flatMap(({ code, names }) => (code === 'useless-suffix' ? [...names] : []))
    return [
      {
        what: `${count(wasted)} of ${plural(queries, 'query', 'queries')} to ${whoAll(
          this.world,
          upstreams.map(([address]) => address),
        )} (${share(wasted, queries)}) were wasted${denied}${example}${rate}.`,
        why: isDirect
          ? 'These clients ask servers outside the cluster themselves, with search domains.'
          : 'CoreDNS and NodeLocal DNSCache forward every name outside the cluster domain, also one that only a search domain made.',
        advice: isDirect
          ? `${see}No server of the cluster stands in between that could deny them.`
          : `${see}Until then CoreDNS itself can deny ${domain ? `names of ${domain}, which holds nothing` : 'a search domain that holds nothing'}.`,
        ...(domain && !isDirect ? { snippet: denying(domain) } : {}),
        count: wasted,
        share: wasted / queries,
        clients: new Set(worst.flatMap(([, server]) => [...server.clients])),
        servers: upstreams.map(([address]) => address),
        frames,
        confidence: 'high',
      },
    ]
  }
}

const denying = (domain: string): string => `# Corefile, in front of "forward"
template IN ANY ${domain} {
    rcode NXDOMAIN
    authority "${domain} 60 IN SOA ns.${domain} hostmaster.${domain} 1 7200 900 1209600 60"
}`

const perSecond = (rate: number): string => (rate >= 10 ? count(Math.round(rate)) : rate.toFixed(1))
