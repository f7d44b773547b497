/** upstream-silent: a server outside the cluster leaves queries unanswered. */
import { type AddressId, NONE } from '../model.ts'
import { count, plural, share } from '../quantities.ts'
import type { Hop } from '../trace/trace.ts'
import { ANSWERED, UNANSWERED, UNREACHED } from '../trace/transaction.ts'
import { FrameSample } from './frame-sample.ts'
import type { Draft, Observer, Rule } from './rule.ts'
import { Tally } from './tally.ts'
import { nameOf, serverRole, type World, who } from './world.ts'

/** A packet gets lost now and then. */
const MIN_SILENT = 5
const MIN_SHARE = 0.02
/** Names of this share below one domain: the domain's own servers are silent, not the upstream. */
const ONE_DOMAIN = 0.8
/** A capture in which fewer queries than this were answered shows one direction only. */
const MIN_ANSWERED_OF_ALL = 0.2
const MOST_DOMAINS = 1000

export const upstreamSilent: Rule = {
  code: 'upstream-silent',
  severity: 'problem',
  title: 'An upstream server does not answer',
  means:
    'Queries that left the cluster got no answer, or an ICMP message that the server cannot be reached. CoreDNS waits 2 s for each try, tries for 5 s and then answers SERVFAIL; by then most resolvers have asked again.',
  why: 'The upstream server is overloaded, throttles (clouds limit packets per second per interface), is filtered, or has itself nobody to ask: when all silent names lie below one domain, it is that domain whose servers do not answer, and the upstream only passes the silence on.',
  todo: 'Ask the server from the node for the same name. If everything is slow there too, it is the server or the way to it. If just one domain is silent, tell its owner; a shorter wait for it can be had with a server block of its own. Remove servers that are gone from the list behind "forward".',
  evidence: `Queries to servers with the role upstream that were not answered although the capture went on, or that ICMP or a TCP reset ended. Silent below ${MIN_SILENT} such queries or ${MIN_SHARE * 100} % of those to this server, and where less than ${MIN_ANSWERED_OF_ALL * 100} % of all queries were answered: such a capture shows one direction only. A warning where at least ${ONE_DOMAIN * 100} % concern one domain and the server answers the rest.`,
  links: [
    'https://coredns.io/plugins/forward/',
    'https://github.com/kubernetes/dns/issues/387',
    'https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html#vpc-dns-limits',
  ],
  shownBy: ['samples/06-upstream-timeout.pcap', 'test/findings/upstream-silent.txt', 'recording 06-loss-slow-timeout'],
  begin: world => new UpstreamSilent(world),
}

interface Server {
  queries: number
  silent: number
  unreachable: number
  domains: Map<string, number>
  askers: Set<AddressId>
  clients: Set<AddressId>
  frames: FrameSample
}

class UpstreamSilent implements Observer {
  private readonly world: World
  private hops = 0
  private answered = 0
  private readonly servers = new Tally<AddressId, Server>(() => ({
    queries: 0,
    silent: 0,
    unreachable: 0,
    domains: new Map(),
    askers: new Set(),
    clients: new Set(),
    frames: new FrameSample(),
  }))

  constructor(world: World) {
    this.world = world
  }

  hop({ transaction: t, lookup }: Hop): void {
    if (!lookup) return
    this.hops++
    if (t.state === ANSWERED) this.answered++
    const server = this.servers.of(t.server)
    if (!server) return
    server.queries++
    if (t.state !== UNANSWERED && t.state !== UNREACHED) return
    if (t.state === UNREACHED) server.unreachable++
    server.silent++
    server.clients.add(lookup.client)
    server.askers.add(t.client)
    server.frames.add(t)
    if (t.qname === NONE) return
    const domain = domainOf(nameOf(this.world, t.qname))
    if (server.domains.size < MOST_DOMAINS || server.domains.has(domain))
      server.domains.set(domain, (server.domains.get(domain) ?? 0) + 1)
  }

  conclude(): Draft[] {
    if (this.answered < MIN_ANSWERED_OF_ALL * this.hops) return []
    return [...this.servers.map]
      .filter(([address, s]) => serverRole(this.world, address) === 'upstream' && s.silent >= MIN_SILENT)
      .filter(([, s]) => s.silent >= MIN_SHARE * s.queries)
      .sort((a, b) => b[1].silent - a[1].silent)
      .map(([address, s]) => this.draft(address, s))
  }

  private draft(address: AddressId, s: Server): Draft {
    const server = who(this.world, address)
    const [domain, most] = [...s.domains].sort((a, b) => b[1] - a[1])[0] ?? ['', 0]
    const answersOthers = s.silent < s.queries
    const oneDomain = answersOthers && most >= ONE_DOMAIN * s.silent
    const kind = s.unreachable > 0 ? `, ${count(s.unreachable)} of them with "unreachable"` : ''
    const which = oneDomain ? `: ${count(most)} of these are names of ${domain}` : ''
    return {
      severity: oneDomain ? 'warning' : 'problem',
      what: `${server} left ${count(s.silent)} of ${plural(s.queries, 'query', 'queries')} (${share(s.silent, s.queries)}) without an answer${kind}${which}.`,
      why: oneDomain
        ? `It answers other names: the servers of ${domain} are silent, and ${server} passes the silence on. CoreDNS gives up after 5 s with SERVFAIL.`
        : 'CoreDNS waits 2 s for each try and gives up after 5 s with SERVFAIL.',
      advice: oneDomain
        ? `Ask ${server} from a node for a name of ${domain}; if it is silent there too, the owner of ${domain} has to act.`
        : `Ask ${server} from a node; look at its load, at rate limits and at firewalls. Take it out of the list behind "forward" if it is gone.`,
      snippet: `dig @${this.world.tables.addresses.text(address)} ${oneDomain ? domain : 'kubernetes.io'} A +tries=1 +time=2`,
      count: s.silent,
      share: s.silent / s.queries,
      clients: s.clients,
      servers: [address],
      frames: s.frames,
      confidence: s.silent >= 2 * MIN_SILENT ? 'high' : 'medium',
      names: oneDomain ? [domain] : [],
    }
  }
}

/** The last two labels: good enough to see that names belong together. */
const domainOf = (name: string): string => name.split('.').slice(-2).join('.')
