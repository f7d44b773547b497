/** replica-skew: of several CoreDNS pods one gets nearly all. */
import { type AddressId, NONE, TCP, type Time } from '../model.ts'
import { count, plural, share } from '../quantities.ts'
import type { Hop } from '../trace/hop.ts'
import type { Lookup } from '../trace/lookup.ts'
import { transactionsOf } from '../trace/lookup.ts'
import { Tally } from '../trace/tally.ts'
import { FrameSample } from './frame-sample.ts'
import type { Draft, Observer, Rule } from './rule.ts'
import { serverRole, type World, who } from './world.ts'

/** kube-proxy chooses for each flow, so flows count; fewer may fall unevenly by chance. */
const MIN_FLOWS = 100
/** The busiest replica has this many times its fair part ... */
const TIMES_FAIR = 1.6
/** ... and at least this part of all. */
const MIN_SHARE = 0.8
/** Over TCP a forwarder keeps its connections: so many queries ... */
const MIN_TCP_QUERIES = 200
/** ... on so few connections as this part of them follow one choice of kube-proxy. */
const MAX_CONNECTIONS = 0.05
/** From so many forwarders on it is no longer a matter of one node. */
const MIN_FORWARDERS = 3
/** A replica that came late or left early is no skew: each was there for this part of the time. */
const MIN_PRESENCE = 0.7

export const replicaSkew: Rule = {
  code: 'replica-skew',
  severity: 'warning',
  title: 'One CoreDNS pod gets nearly all queries',
  means:
    'Several CoreDNS pods answer, but one of them carries nearly the whole load. It reaches its CPU limit first, and its clients wait while the others idle.',
  why: 'kube-proxy chooses a pod once for each flow (address and port). Clients that keep one UDP port or one TCP connection stay with the pod that they got; session affinity, topology aware routing and internalTrafficPolicy Local also bind clients to a pod.',
  todo: 'Look at sessionAffinity, internalTrafficPolicy and the topology annotations of the service kube-dns, and at which clients reuse one port. NodeLocal DNSCache keeps TCP connections open: "max_concurrent" and "expire" of its forward decide how long.',
  evidence: `Flows over UDP from stub resolvers, by the CoreDNS pod that served them, per address family: at least ${MIN_FLOWS} flows, the busiest pod with ${MIN_SHARE * 100} % or more, all of them seen for most of the capture. Over TCP the queries of forwarders: at least ${MIN_TCP_QUERIES}, ${MIN_SHARE * 100} % or more to one of the pods, on connections that carry ${1 / MAX_CONNECTIONS} queries or more each; info while they are of fewer than ${MIN_FORWARDERS} forwarders.`,
  links: [
    'https://kubernetes.io/docs/reference/networking/virtual-ips/',
    'https://github.com/coredns/coredns/issues/6754',
  ],
  shownBy: ['test/findings/replica-skew.txt'],
  begin: world => new ReplicaSkew(world),
}

interface Replica {
  flows: number
  queries: number
  first: Time
  last: Time
  clients: Set<AddressId>
  frames: FrameSample
}

/** What forwarders asked a replica over TCP. */
interface OverTcp {
  queries: number
  connections: number
  lastPort: number
  lastClient: AddressId
  clients: Set<AddressId>
  frames: FrameSample
}

class ReplicaSkew implements Observer {
  private readonly world: World
  private readonly overTcp = new Tally<AddressId, OverTcp>(() => ({
    queries: 0,
    connections: 0,
    lastPort: -1,
    lastClient: NONE,
    clients: new Set(),
    frames: new FrameSample(),
  }))
  private readonly replicas = new Tally<AddressId, Replica>(() => ({
    flows: 0,
    queries: 0,
    first: Number.POSITIVE_INFINITY,
    last: 0,
    clients: new Set(),
    frames: new FrameSample(),
  }))
  private readonly lastPort = new Tally<AddressId, { port: number }>(() => ({ port: -1 }))

  constructor(world: World) {
    this.world = world
  }

  lookup(lookup: Lookup): void {
    const transactions = transactionsOf(lookup)
    // Who has several nameservers chooses himself: the first, unless that is silent.
    for (const { asked } of transactions) if (asked !== transactions[0].asked) return
    for (const t of transactions) {
      if (t.transport === TCP) continue
      const replica = this.replicas.of(t.server)
      const last = this.lastPort.of(t.client)
      replica.queries++
      if (last.port !== t.clientPort) replica.flows++
      last.port = t.clientPort
      replica.first = Math.min(replica.first, t.start)
      replica.last = Math.max(replica.last, t.start)
      replica.clients.add(t.client)
      replica.frames.add(t)
    }
  }

  hop({ transaction: t, forwarder }: Hop): void {
    if (!forwarder || t.transport !== TCP) return
    const replica = this.overTcp.of(t.server)
    replica.queries++
    // Two connections in turn count too often: then this says nothing, as it should.
    if (t.clientPort !== replica.lastPort || t.client !== replica.lastClient) replica.connections++
    replica.lastPort = t.clientPort
    replica.lastClient = t.client
    replica.clients.add(t.client)
    replica.frames.add(t)
  }

  conclude(): Draft[] {
    const services = new Set(this.world.trace.endpoints.list.filter(e => e.translatedTo.size > 0).map(e => e.address))
    const all = [...this.replicas].filter(
      ([address]) => serverRole(this.world, address) === 'coredns' && !services.has(address),
    )
    const isV6 = (address: AddressId): boolean => this.world.tables.addresses.text(address).includes(':')
    const drafts = [false, true].flatMap(v6 => this.ofFamily(all.filter(([address]) => isV6(address) === v6)))
    return drafts.length > 0 ? drafts : this.ofConnections(all.map(([address]) => address))
  }

  /** `pods`: the CoreDNS pods that stub resolvers were served by. */
  private ofConnections(pods: readonly AddressId[]): Draft[] {
    const replicas = [...this.overTcp].filter(([address]) => serverRole(this.world, address) === 'coredns')
    const queries = replicas.reduce((n, [, r]) => n + r.queries, 0)
    const servers = new Set([...pods, ...replicas.map(([address]) => address)])
    const [busiest] = replicas.sort((a, b) => b[1].queries - a[1].queries)
    if (!busiest || servers.size < 2 || queries < MIN_TCP_QUERIES) return []
    const [address, r] = busiest
    if (r.queries < MIN_SHARE * queries || r.connections > MAX_CONNECTIONS * r.queries) return []
    return [
      {
        // One node's cache may stay with one pod while the next node's stays with another.
        severity: r.clients.size < MIN_FORWARDERS ? 'info' : 'warning',
        what: `Of ${plural(servers.size, 'CoreDNS pod')} ${who(this.world, address)} got ${count(r.queries)} of ${plural(queries, 'query', 'queries')} over TCP (${share(r.queries, queries)}), on ${plural(r.connections, 'connection')} of ${plural(r.clients.size, 'client')}.`,
        why: 'kube-proxy chose once for each connection, and the forwarder keeps its connections open.',
        advice: 'Let the forwarder close connections now and then ("expire"), so that kube-proxy chooses anew.',
        snippet: `# Corefile of node-local-dns
forward . __PILLAR__CLUSTER__DNS__ {
    force_tcp
    expire 10s
}`,
        count: r.queries,
        share: r.queries / queries,
        clients: r.clients,
        servers,
        frames: r.frames,
        confidence: 'medium',
      },
    ]
  }

  private ofFamily(replicas: [AddressId, Replica][]): Draft[] {
    if (replicas.length < 2) return []
    const from = Math.min(...replicas.map(([, r]) => r.first))
    const to = Math.max(...replicas.map(([, r]) => r.last))
    if (replicas.some(([, r]) => r.last - r.first < MIN_PRESENCE * (to - from))) return []
    const flows = replicas.reduce((n, [, r]) => n + r.flows, 0)
    const [address, busiest] = replicas.sort((a, b) => b[1].flows - a[1].flows)[0]
    const part = busiest.flows / flows
    if (flows < MIN_FLOWS || part < MIN_SHARE || part < TIMES_FAIR / replicas.length) return []
    return [
      {
        what: `Of ${plural(replicas.length, 'CoreDNS pod')} ${who(this.world, address)} got ${count(busiest.flows)} of ${plural(flows, 'flow')} (${share(busiest.flows, flows)}).`,
        why: 'kube-proxy chooses a pod once for each flow, and affinity or topology rules may bind clients to one.',
        advice: 'Look at sessionAffinity, internalTrafficPolicy and topology annotations of the service kube-dns.',
        snippet: `kubectl -n kube-system get service kube-dns -o yaml`,
        count: busiest.flows,
        share: part,
        clients: busiest.clients,
        servers: replicas.map(([server]) => server),
        frames: busiest.frames,
        confidence: 'medium',
      },
    ]
  }
}
