/** upstream-out-of-date: a forwarder still asks a server that everybody else has left. */

import { NOERROR, NXDOMAIN } from '../codes.ts'
import { type AddressId, type NameId, NONE } from '../model.ts'
import { count, plural, share } from '../quantities.ts'
import type { Hop } from '../trace/hop.ts'
import { pairOf } from '../trace/pair.ts'
import { Tally } from '../trace/tally.ts'
import { ANSWERED, isUntold } from '../trace/transaction.ts'
import { FrameSample } from './frame-sample.ts'
import type { Draft, Observer, Rule } from './rule.ts'
import { sharedDomain } from './shared-domain.ts'
import { clientRole, isClusterDns, nameOf, serverRole, type World, who, whoAll, zoneOf } from './world.ts'

/** "forward" asks its servers at random: who has asked so often and never this one does not have it in its list. */
const MIN_QUERIES = 30
/** A host asks the first server of its list only, so it counts from fewer on, and against a bad server alone. */
const MIN_DIRECT = 5
/** A server of which so few queries are answered usefully has no place in a list. */
const MAX_GOOD = 0.5
/** "A part" of a forwarder's queries: at random each of its servers gets an equal one. */
const MIN_PART = 0.1
const MOST_WAYS = 1_000
const MOST_NAMES = 50
/** Where less than this of what the other servers were asked was answered, one of several servers is asked for want of a better one. */
const MIN_GOOD = 0.95

export const upstreamOutOfDate: Rule = {
  code: 'upstream-out-of-date',
  severity: 'warning',
  title: 'CoreDNS still asks an upstream server that nobody else asks',
  means:
    "Part of the queries go to an upstream server that nobody else uses: other replicas have another list, or the hosts ask others and this one fails. Most likely the node's resolv.conf was changed, and this CoreDNS still has what it read at its start. Where only hosts are there to compare with, the server may also stand second in their list: they use the first one as long as it answers, so nobody there notices that the second one is dead.",
  why: 'CoreDNS reads /etc/resolv.conf once, when the pod starts, and with dnsPolicy Default it is the copy that the kubelet made for that pod at that time. A new resolver on the node (DHCP, a migration, a VPN) does not reach it; addresses written into the Corefile do not change at all.',
  todo: 'Compare /etc/resolv.conf of the node with that of the CoreDNS pod, and with what stands behind "forward" in the Corefile; then restart CoreDNS (kubectl -n kube-system rollout restart deployment coredns) so that it reads the new list.',
  evidence: `A forwarder sends at least ${MIN_PART * 100} % of its queries to an upstream server which another forwarder of the same kind, with ${MIN_QUERIES} queries or more to upstream servers that the first one asks as well, never asked; not where all its names are of one domain, or where the other servers failed. Or: hosts ask other upstream servers directly, nobody but the forwarder asks this one, and less than ${MAX_GOOD * 100} % of what it was asked got an answer.`,
  links: [
    'https://coredns.io/plugins/forward/',
    'https://kubernetes.io/docs/tasks/administer-cluster/dns-custom-nameservers/',
    'https://kubernetes.io/docs/tasks/administer-cluster/dns-debugging-resolution/#known-issues',
  ],
  shownBy: ['test/findings/upstream-out-of-date.txt'],
  begin: world => new UpstreamOutOfDate(world),
}

interface Way {
  from: AddressId
  forwarder: boolean
  server: AddressId
  queries: number
  good: number
  /** Some of the names that went this way. */
  names: Set<NameId>
  clients: Set<AddressId>
  frames: FrameSample
}

class UpstreamOutOfDate implements Observer {
  private readonly world: World
  private readonly ways = new Tally<number, Way>(
    () => ({
      from: NONE,
      forwarder: false,
      server: NONE,
      queries: 0,
      good: 0,
      names: new Set(),
      clients: new Set(),
      frames: new FrameSample(),
    }),
    MOST_WAYS,
  )

  constructor(world: World) {
    this.world = world
  }

  hop({ transaction: t, from, forwarder, lookup, role }: Hop): void {
    if (role !== 'upstream' || !lookup || isUntold(t)) return
    const way = this.ways.of(pairOf(from, t.server) * 2 + (forwarder ? 1 : 0))
    way.from = from
    way.forwarder = forwarder
    way.server = t.server
    way.queries++
    if (t.state === ANSWERED && (t.rcode === NOERROR || t.rcode === NXDOMAIN)) way.good++
    if (way.names.size < MOST_NAMES && t.qname !== NONE) way.names.add(t.qname)
    if (way.frames.add(t)) way.clients.add(lookup.client)
  }

  conclude(): Draft[] {
    // "Never" is said of what is in no other way.
    if (zoneOf(this.world) === null || this.ways.forgotten > 0) return []
    const ways = [...this.ways.values()].filter(way => serverRole(this.world, way.server) === 'upstream')
    const forwarded = ways.filter(way => way.forwarder && isClusterDns(this.world, way.from))
    const direct = ways.filter(way => !way.forwarder && clientRole(this.world, way.from) !== 'unknown')
    return forwarded.flatMap(way => {
      const all = forwarded.filter(w => w.from === way.from)
      const queries = all.reduce((n, w) => n + w.queries, 0)
      if (way.queries < MIN_PART * queries || direct.some(d => d.server === way.server)) return []
      const others = this.othersWithout(way, forwarded)
      const hosts = direct.filter(d => d.queries >= MIN_DIRECT && d.good >= MAX_GOOD * d.queries)
      const isBad = way.queries >= MIN_DIRECT && way.good < MAX_GOOD * way.queries && all.length > 1
      if (others.length === 0 && !(hosts.length > 0 && isBad)) return []
      return [this.draft(way, queries, others, hosts)]
    })
  }

  /** Forwarders of the same kind that share a server with this one, and never asked the server in question. */
  private othersWithout(way: Way, forwarded: readonly Way[]): AddressId[] {
    const role = serverRole(this.world, way.from)
    const shared = new Set(forwarded.filter(w => w.from === way.from && w !== way).map(w => w.server))
    if (way.queries < MIN_QUERIES * MIN_PART || shared.size === 0) return []
    // A stub domain that nobody asked the others for, and a list that is gone through in order ("policy sequential"), look alike.
    if (sharedDomain([...way.names].map(id => nameOf(this.world, id))) !== null) return []
    const rest = forwarded.filter(w => w.from === way.from && w !== way)
    if (rest.some(w => w.good < MIN_GOOD * w.queries)) return []
    const forwarders = [...new Set(forwarded.map(w => w.from))].filter(
      from => from !== way.from && serverRole(this.world, from) === role,
    )
    return forwarders.filter(from => {
      const its = forwarded.filter(w => w.from === from)
      if (its.some(w => w.server === way.server)) return false
      return its.filter(w => shared.has(w.server)).reduce((n, w) => n + w.queries, 0) >= MIN_QUERIES
    })
  }

  private draft(way: Way, queries: number, others: readonly AddressId[], hosts: readonly Way[]): Draft {
    const server = who(this.world, way.server)
    const from = who(this.world, way.from)
    const bad = way.queries - way.good
    const against =
      others.length > 0
        ? `${whoAll(this.world, others)} never asked it`
        : `${whoAll(
            this.world,
            hosts.map(d => d.from),
          )} asked ${whoAll(
            this.world,
            hosts.map(d => d.server),
          )} instead`
    const failing = bad > 0 ? ` ${count(bad)} of these got no useful answer.` : ''
    return {
      what: `${from} sent ${plural(way.queries, 'query', 'queries')} (${share(way.queries, queries)}) to ${server}; ${against}.${failing}`,
      why: "CoreDNS reads its pod's resolv.conf once, at its start; a change on the node does not reach it.",
      advice: `See whether ${server} still stands in the node's resolv.conf and in the Corefile; if not, restart ${from}.`,
      snippet: `kubectl -n kube-system get configmap coredns -o jsonpath='{.data.Corefile}' | grep forward
kubectl -n kube-system rollout restart deployment coredns`,
      count: way.queries,
      share: way.queries / queries,
      clients: way.clients,
      servers: [way.server],
      frames: way.frames,
      confidence: others.length > 0 ? 'high' : 'medium',
    }
  }
}
