/** stub-domains: names of one domain go to a server of their own; upstream servers are not those of the nodes. */

import { type AddressId, type NameId, NONE } from '../model.ts'
import { count, listed, plural } from '../quantities.ts'
import type { Hop } from '../trace/hop.ts'
import { pairOf } from '../trace/pair.ts'
import { isWithin } from '../trace/suffix.ts'
import { Tally } from '../trace/tally.ts'
import { ANSWERED } from '../trace/transaction.ts'
import { FrameSample } from './frame-sample.ts'
import type { Draft, Observer, Rule } from './rule.ts'
import { sharedDomain } from './shared-domain.ts'
import { clientRole, isClusterDns, nameOf, serverRole, type World, who, whoAll, zoneOf } from './world.ts'

/** Fewer queries may have ended at one server by chance: "forward" chooses at random. */
const MIN_QUERIES = 6
/** So many of the rest must have gone elsewhere to show that there is a rest. */
const MIN_OTHERS = 20
/** Who asks a few times by hand (dig @server) has no configuration. */
const MIN_DIRECT = 10
const MOST_NAMES = 2_000
const MOST_WAYS = 256

export const stubDomains: Rule = {
  code: 'stub-domains',
  severity: 'info',
  title: 'Stub domains or upstream servers of its own are at work',
  means:
    "The cluster's DNS does not simply ask the servers of its node: names of one domain go to a server of their own (a stub domain), or all names go to servers that the nodes themselves do not ask (upstreamNameservers). That is mostly meant so; in an incident it tells why the same name gets another answer on the node than in a pod.",
  why: 'A server block of its own in the Corefile ("corp.example:53 { forward . 10.0.0.53 }"), addresses behind "forward ." in the place of /etc/resolv.conf, or stubDomains and upstreamNameservers in the ConfigMap of kube-dns and NodeLocal DNSCache.',
  todo: 'Nothing if it is intended. When such a server is replaced, the Corefile has to follow: no file of the node does that.',
  evidence: `Queries of a forwarder to servers with the role upstream: to one of them at least ${MIN_QUERIES}, all for names below one domain, and none of these names to any other server, while others got ${MIN_OTHERS} or more. Upstream servers of its own: hosts ask upstream servers directly, at least ${MIN_DIRECT} times, and none that the forwarder asks.`,
  links: [
    'https://kubernetes.io/docs/tasks/administer-cluster/dns-custom-nameservers/',
    'https://coredns.io/plugins/forward/',
  ],
  shownBy: ['test/findings/stub-domains.txt'],
  begin: world => new StubDomains(world),
}

/** From one forwarder to one server. */
interface Way {
  from: AddressId
  server: AddressId
  queries: number
  names: Set<NameId>
  /** More names than are remembered. */
  more: boolean
  clients: Set<AddressId>
  frames: FrameSample
}

class StubDomains implements Observer {
  private readonly world: World
  private readonly ways = new Tally<number, Way>(
    () => ({
      from: NONE,
      server: NONE,
      queries: 0,
      names: new Set(),
      more: false,
      clients: new Set(),
      frames: new FrameSample(),
    }),
    MOST_WAYS,
  )
  /** What clients asked a server directly. */
  private readonly direct = new Tally<number, { client: AddressId; server: AddressId; queries: number }>(() => ({
    client: NONE,
    server: NONE,
    queries: 0,
  }))

  constructor(world: World) {
    this.world = world
  }

  hop({ transaction: t, from, forwarder, lookup, role }: Hop): void {
    if (role !== 'upstream' || !lookup || t.state !== ANSWERED || t.qname === NONE) return
    const key = pairOf(from, t.server)
    if (!forwarder) {
      const direct = this.direct.of(key)
      direct.client = t.client
      direct.server = t.server
      direct.queries++
      return
    }
    const way = this.ways.of(key)
    way.from = from
    way.server = t.server
    way.queries++
    if (way.names.size < MOST_NAMES) way.names.add(t.qname)
    else if (!way.names.has(t.qname)) way.more = true
    if (way.frames.add(t)) way.clients.add(lookup.client)
  }

  conclude(): Draft[] {
    // "Alone" is said of what no other way and no host did.
    if (zoneOf(this.world) === null || this.ways.forgotten > 0 || this.direct.forgotten > 0) return []
    const ways = [...this.ways.values()].filter(
      way => isClusterDns(this.world, way.from) && serverRole(this.world, way.server) === 'upstream',
    )
    const stubs = ways.flatMap(way => {
      const domain = this.stubOf(
        way,
        ways.filter(other => other.from === way.from && other !== way),
      )
      return domain === null ? [] : [{ way, domain }]
    })
    const general = ways.filter(way => !stubs.some(stub => stub.way === way))
    const own = this.ownUpstreams(general)
    if (stubs.length === 0 && own === null) return []
    const shown = [...stubs.map(({ way }) => way), ...(own?.ways ?? [])]
    const frames = new FrameSample()
    for (const way of shown) frames.addAll(way.frames)
    const queries = shown.reduce((n, way) => n + way.queries, 0)
    const parts = stubs.map(
      ({ way, domain }) =>
        `${who(this.world, way.from)} sends names of ${domain} to ${who(this.world, way.server)} alone (${plural(way.queries, 'query', 'queries')})`,
    )
    if (own) parts.push(own.what)
    return [
      {
        what: `${parts.slice(0, 3).join('; ')}.`,
        why: 'A server block of its own, or addresses behind "forward ." in the place of /etc/resolv.conf, say so.',
        advice: 'Nothing to do if this is intended; when these servers are replaced the Corefile has to follow.',
        snippet: 'kubectl -n kube-system get configmap coredns -o yaml   # kube-dns, node-local-dns: the same',
        count: queries,
        share: null,
        clients: new Set(shown.flatMap(way => [...way.clients])),
        servers: new Set(shown.map(way => way.server)),
        frames,
        confidence: stubs.length > 0 && stubs.every(({ way }) => way.queries >= 2 * MIN_QUERIES) ? 'high' : 'medium',
      },
    ]
  }

  /** The domain below which all names lie that went this way, and none that went another one; null without. */
  private stubOf(way: Way, others: readonly Way[]): string | null {
    if (way.more || way.queries < MIN_QUERIES) return null
    if (others.reduce((n, other) => n + other.queries, 0) < MIN_OTHERS) return null
    const domain = sharedDomain([...way.names].map(id => nameOf(this.world, id)))
    if (domain === null) return null
    for (const other of others) for (const id of other.names) if (isWithin(nameOf(this.world, id), domain)) return null
    return domain
  }

  /** Where hosts ask upstream servers, and none that the forwarders ask. */
  private ownUpstreams(ways: readonly Way[]): { what: string; ways: Way[] } | null {
    const hosts = [...this.direct.values()].filter(
      d =>
        d.queries >= MIN_DIRECT &&
        clientRole(this.world, d.client) === 'host' &&
        serverRole(this.world, d.server) === 'upstream',
    )
    if (hosts.length === 0) return null
    const asked = new Set(hosts.map(d => d.server))
    const own = ways.filter(
      way => way.queries >= MIN_DIRECT && !ways.some(w => w.from === way.from && asked.has(w.server)),
    )
    if (own.length === 0) return null
    const hostQueries = hosts.reduce((n, d) => n + d.queries, 0)
    return {
      ways: own,
      what: `${whoAll(
        this.world,
        own.map(way => way.from),
      )} asks ${listed([...new Set(own.map(way => who(this.world, way.server)))], 2)}, while hosts ask ${whoAll(this.world, asked)} (${count(hostQueries)} times)`,
    }
  }
}
