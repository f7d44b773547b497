/** upstream-silent: a server outside the cluster leaves queries unanswered. */
import { AAAA } from '../codes.ts'
import type { AddressId, Time } from '../model.ts'
import { count, plural, share } from '../quantities.ts'
import type { Hop } from '../trace/hop.ts'
import { Tally } from '../trace/tally.ts'
import { ANSWERED, UNANSWERED, UNREACHED } from '../trace/transaction.ts'
import { Domains } from './domains.ts'
import { adviceAgainstLoop, ForwardLoops, loopOf, WHY_LOOP } from './forward-loops.ts'
import { FrameSample } from './frame-sample.ts'
import { type Concluded, type Draft, type Observer, type Rule, sureFrom } from './rule.ts'
import { clockTime, isClusterDns, serverRole, type World, who, whoAll } from './world.ts'

/** A packet gets lost now and then. */
const MIN_SILENT = 5
const MIN_SHARE = 0.02
/** Names of this share below one domain: the domain's own servers are silent, not the upstream. */
const ONE_DOMAIN = 0.8
/** A capture in which fewer queries than this were answered shows one direction only. */
const MIN_ANSWERED_OF_ALL = 0.2
const MOST_DOMAINS = 1000

const SEE_LOOP = `kubectl -n kube-system get configmap coredns -o yaml | grep -A3 forward
cat /etc/resolv.conf   # on the nodes of CoreDNS: what "forward . /etc/resolv.conf" reads`

export const upstreamSilent: Rule = {
  code: 'upstream-silent',
  severity: 'problem',
  title: 'The next server does not answer',
  means:
    'Queries that left the cluster, or that NodeLocal DNSCache sent on to CoreDNS, got no answer, or a message that the server cannot be reached, or their TCP connection could not even be opened ("dial tcp: i/o timeout" in the logs). The forwarder waits 2 s for each try, tries for 5 s and then answers SERVFAIL; by then most resolvers have asked again.',
  why: 'The upstream server is overloaded, throttles (clouds limit packets per second per interface), is filtered, or has itself nobody to ask: when all silent names lie below one domain, it is that domain whose servers do not answer, and the upstream only passes the silence on.',
  todo: 'Ask the server from the node for the same name. If everything is slow there too, it is the server or the way to it. If just one domain is silent, tell its owner; a shorter wait for it can be had with a server block of its own. Remove servers that are gone from the list behind "forward". Where the server is the DNS of the cluster itself, CoreDNS asks in a loop: its list of upstreams must not name it.',
  evidence: `Queries to servers with the role upstream, and those of NodeLocal DNSCache to CoreDNS, that were not answered although the capture went on, or that ICMP or a TCP reset ended; a TCP connection whose SYN was sent again or refused counts as one query. Silent below ${MIN_SILENT} such queries or ${MIN_SHARE * 100} % of those to this server, and where less than ${MIN_ANSWERED_OF_ALL * 100} % of all queries were answered: such a capture shows one direction only. A warning where at least ${ONE_DOMAIN * 100} % concern one domain and the server answers the rest.`,
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
  /** Of these, the queries that forwarders sent. */
  forwarded: number
  forwardedSilent: number
  /** TCP connections that could not be opened. */
  unopened: number
  /** For AAAA. */
  aaaa: number
  /** When a query first remained without an answer, and when the last one did. */
  first: Time
  last: Time
  unreachable: number
  domains: Domains
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
    forwarded: 0,
    forwardedSilent: 0,
    unopened: 0,
    aaaa: 0,
    first: Number.POSITIVE_INFINITY,
    last: 0,
    unreachable: 0,
    domains: new Domains(MOST_DOMAINS),
    askers: new Set(),
    clients: new Set(),
    frames: new FrameSample(),
  }))

  private readonly loops: ForwardLoops

  constructor(world: World) {
    this.world = world
    this.loops = new ForwardLoops(world)
  }

  hop(hop: Hop): void {
    const { transaction: t, lookup, forwarder } = hop
    if (!lookup) return
    this.hops++
    this.loops.add(hop)
    if (t.state === ANSWERED) this.answered++
    const server = this.servers.of(t.server)
    server.queries++
    if (forwarder) server.forwarded++
    if (t.state !== UNANSWERED && t.state !== UNREACHED) return
    if (t.state === UNREACHED) server.unreachable++
    server.silent++
    if (t.qtype === AAAA) server.aaaa++
    if (forwarder) server.forwardedSilent++
    if (t.start < server.first) server.first = t.start
    if (t.start > server.last) server.last = t.start
    server.clients.add(lookup.client)
    server.askers.add(t.client)
    server.frames.add(t)
    server.domains.add(this.world, t)
  }

  conclude(earlier: readonly Concluded[]): Draft[] {
    if (this.answered < MIN_ANSWERED_OF_ALL * this.hops) return []
    this.addUnopened()
    // All clients suffer, and that was told.
    const isDown = earlier.some(({ code }) => code === 'coredns-unreachable')
    return [...this.servers]
      .flatMap(([address, s]): [AddressId, Server][] => {
        if (serverRole(this.world, address) === 'upstream') return [[address, s]]
        // Of CoreDNS only what a cache in front of it asked: what pods ask is another finding's.
        return isClusterDns(this.world, address) && !isDown
          ? [[address, { ...s, queries: s.forwarded, silent: s.forwardedSilent }]]
          : []
      })
      .filter(([, s]) => s.silent >= MIN_SILENT)
      .filter(([, s]) => s.silent >= MIN_SHARE * s.queries)
      .sort((a, b) => b[1].silent - a[1].silent)
      .map(([address, s]) => this.draft(address, s))
  }

  /** Connections that forwarders, and clients outside the cluster's DNS, could not open. */
  private addUnopened(): void {
    const { matching, forwarding } = this.world.trace
    for (const { client, server, silent, refused, first, frames } of matching.unopened.list) {
      const sum = this.servers.of(server)
      const connections = silent + refused
      sum.queries += connections
      sum.silent += connections
      sum.unopened += connections
      sum.first = Math.min(sum.first, first)
      sum.askers.add(client)
      sum.frames.addFrames(frames)
      if (forwarding.forwardersAt(client).length === 0 && serverRole(this.world, client) !== 'coredns') continue
      sum.forwarded += connections
      sum.forwardedSilent += connections
    }
  }

  private draft(address: AddressId, s: Server): Draft {
    const server = who(this.world, address)
    const { domain, count: most } = s.domains.top
    const inLoop = this.loops.askersOf(address)
    const isLoop = inLoop.length > 0
    const answersOthers = s.silent < s.queries
    const oneDomain = !isLoop && answersOthers && most >= ONE_DOMAIN * s.silent
    const unreachable = s.unreachable > 0 ? `, ${count(s.unreachable)} of them with "unreachable"` : ''
    const unopened = s.unopened > 0 ? `, ${plural(s.unopened, 'TCP connection')} could not be opened` : ''
    const family = s.aaaa === s.silent ? ', all of them for AAAA' : ''
    const kind = `${unreachable}${unopened}${family}`
    const from = s.askers.size > 0 ? ` Asked by ${whoAll(this.world, s.askers)}` : ' Seen'
    const loop = isLoop
      ? ` ${whoAll(this.world, inLoop)} ${inLoop.length === 1 ? 'asks' : 'ask'} ${loopOf(this.world, [address])}.`
      : ''
    const which = oneDomain ? `: ${count(most)} of these are names of ${domain}` : ''
    return {
      severity: oneDomain ? 'warning' : 'problem',
      what: `${server} left ${count(s.silent)} of ${plural(s.queries, 'query', 'queries')} (${share(s.silent, s.queries)}) without an answer${kind}${which}.${from}, first at ${clockTime(this.world, s.first)}, last at ${clockTime(this.world, Math.max(s.first, s.last))} UTC.${loop}`,
      why: isLoop
        ? WHY_LOOP
        : oneDomain
          ? `It answers other names: the servers of ${domain} are silent, and ${server} passes the silence on. CoreDNS gives up after 5 s with SERVFAIL.`
          : 'CoreDNS waits 2 s for each try and gives up after 5 s with SERVFAIL.',
      advice: isLoop
        ? adviceAgainstLoop(this.world, [address])
        : oneDomain
          ? `Ask ${server} from a node for a name of ${domain}; if it is silent there too, the owner of ${domain} has to act.`
          : `Ask ${server} from a node; look at its load, at rate limits and at firewalls. Take it out of the list behind "forward" if it is gone.`,
      snippet: isLoop
        ? SEE_LOOP
        : `dig @${this.world.tables.addresses.text(address)} ${oneDomain ? domain : 'kubernetes.io'} A +tries=1 +time=2`,
      count: s.silent,
      share: s.silent / s.queries,
      clients: s.clients,
      servers: [address],
      frames: s.frames,
      confidence: sureFrom(s.silent, MIN_SILENT),
      names: oneDomain ? [domain] : [],
    }
  }
}
