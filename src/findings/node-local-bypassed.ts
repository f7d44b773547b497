/** node-local-bypassed: NodeLocal DNSCache runs, but queries go past it to CoreDNS. */

import { type AddressId, INCOMING, NONE, OTHER_HOST, type Time } from '../model.ts'
import { count, plural, roughDuration, share } from '../quantities.ts'
import { type Lookup, transactionsOf } from '../trace/lookup.ts'
import { pairOf } from '../trace/pair.ts'
import { Tally } from '../trace/tally.ts'
import { ANSWERED, type Transaction } from '../trace/transaction.ts'
import { FrameSample } from './frame-sample.ts'
import type { Draft, Observer, Rule } from './rule.ts'
import { serverRole, type World, whoAll } from './world.ts'

/** A few queries may pass while the cache restarts; and so many must have come from the cache that it is one. */
const MIN_QUERIES = 20

export const nodeLocalBypassed: Rule = {
  code: 'node-local-bypassed',
  severity: 'warning',
  title: 'Queries go past NodeLocal DNSCache',
  means:
    'A node-local cache answers on this node, yet a part of the queries goes straight to a CoreDNS pod: through connection tracking, over the network, and without the cache.',
  why: 'Pods ask the address of the service kube-dns, which the cache takes over with rules of its own (iptables NOTRACK). Until these rules stand, or where kube-proxy in IPVS mode or Cilium without a Local Redirect Policy handles the service first, the queries are translated to CoreDNS. node-cache without -pidfile installs its rules only after a minute.',
  todo: "Pods that started before the kubelet knew the cache's address (clusterDNS) ask the service until they are started again. With Cilium create a CiliumLocalRedirectPolicy for kube-dns. With IPVS give the kubelet the cache's own address (clusterDNS: 169.254.20.10). With iptables look for the NOTRACK rules on the node, and start node-cache with -pidfile.",
  evidence: `One client asked the same address and was served by a node-local cache at one time and by CoreDNS at another; or some pods of a node are served by its cache and others by CoreDNS (--resources tells the nodes, or a capture of the node in which the queries of both come in and are translated). Silent below ${MIN_QUERIES} queries past the cache.`,
  links: [
    'https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/',
    'https://docs.cilium.io/en/stable/network/kubernetes/local-redirect-policy/#node-local-dns-cache',
    'https://github.com/cilium/cilium/issues/43080',
  ],
  shownBy: ['test/findings/node-local-bypassed.txt', 'recordings 09-vxlan and 13-nodelocal-late-interception'],
  begin: world => new NodeLocalBypassed(world),
}

interface Way {
  client: AddressId
  asked: AddressId
  server: AddressId
  /** The capture of the client's node: the query came in through a pod's interface, and was translated or answered there. */
  nodeFile: number
  queries: number
  first: Time
  last: Time
  frames: FrameSample
}

class NodeLocalBypassed implements Observer {
  private readonly world: World
  private readonly ways = new Tally<number, Way>(() => ({
    client: NONE,
    asked: NONE,
    server: NONE,
    nodeFile: NONE,
    queries: 0,
    first: 0,
    last: 0,
    frames: new FrameSample(),
  }))

  constructor(world: World) {
    this.world = world
  }

  lookup(lookup: Lookup): void {
    for (const t of transactionsOf(lookup)) this.note(t)
  }

  private note(t: Transaction): void {
    if (t.state !== ANSWERED) return
    // Exact but for a client that asks one server by two addresses whose numbers end alike.
    const way = this.ways.of(pairOf(t.client, t.server) * 64 + (t.asked & 63))
    if (way.queries === 0) {
      way.client = t.client
      way.asked = t.asked
      way.server = t.server
      way.first = t.start
    }
    if ((t.direction === INCOMING || t.direction === OTHER_HOST) && way.nodeFile === NONE) way.nodeFile = t.file
    way.queries++
    way.last = t.start
    way.frames.add(t)
  }

  conclude(): Draft[] {
    const ways = [...this.ways.values()]
    const cached = ways.filter(
      way => way.queries >= MIN_QUERIES && serverRole(this.world, way.server) === 'node-local-cache',
    )
    const isBypassed = (way: Way): boolean =>
      cached.some(c => (c.client === way.client ? c.asked === way.asked : this.shareNode(c, way)))
    const past = ways.filter(way => serverRole(this.world, way.server) === 'coredns' && isBypassed(way))
    const queries = past.reduce((n, way) => n + way.queries, 0)
    if (queries < MIN_QUERIES) return []
    const clients = new Set(past.map(way => way.client))
    const all = ways.filter(way => clients.has(way.client)).reduce((n, way) => n + way.queries, 0)
    const frames = new FrameSample()
    for (const way of past) frames.addAll(way.frames)
    // All of it before the cache's first answer: the cache was not there yet.
    const lastPast = Math.max(...past.map(way => way.last))
    const firstCached = Math.min(...cached.filter(way => clients.has(way.client)).map(way => way.first))
    const when =
      Number.isFinite(firstCached) && lastPast < firstCached && this.ways.forgotten === 0
        ? ` All of them came before the cache's first answer to ${clients.size === 1 ? 'this client' : 'these clients'}, over ${roughDuration((lastPast - Math.min(...past.map(way => way.first))) / 1e6)}.`
        : ''
    // What the cache answers on, as far as somebody asks it there: only at such an address rules may be missing.
    const ofCache = new Set(cached.map(way => way.asked))
    const byAddress = past.filter(way => !ofCache.has(way.asked))
    const isOtherAddress = byAddress.length === past.length
    return [
      {
        what: `${count(queries)} of ${plural(all, 'query', 'queries')} (${share(queries, all)}) of ${whoAll(this.world, clients)} to ${whoAll(
          this.world,
          past.map(way => way.asked),
        )} went past the node-local cache to ${whoAll(
          this.world,
          past.map(way => way.server),
        )}.${when}`,
        why: isOtherAddress
          ? `Their resolv.conf has ${whoAll(
              this.world,
              byAddress.map(way => way.asked),
            )}, that of others ${whoAll(this.world, ofCache)}: they were started before the cache was installed, or the kubelet of their node does not hand its address out.`
          : 'The rules that send the service address to the cache are missing, late, or come after those of kube-proxy or Cilium.',
        advice: isOtherAddress
          ? `Restart these pods; if they come back with the same nameserver, set clusterDNS of the kubelet (or their dnsConfig) to ${whoAll(this.world, ofCache)}.`
          : 'Look for the NOTRACK rules of node-cache on the node (iptables), a Local Redirect Policy (Cilium), or the clusterDNS of the kubelet (IPVS).',
        snippet: isOtherAddress
          ? 'kubectl exec -n NAMESPACE POD -- cat /etc/resolv.conf'
          : 'iptables -t raw -S | grep -w 53   # on the node',
        count: queries,
        share: queries / all,
        clients,
        servers: new Set(past.map(way => way.server)),
        frames,
        confidence: 'high',
      },
    ]
  }

  /** A cache serves its own node; where no file tells the nodes, the capture that saw both pods' interfaces does. */
  private shareNode(cached: Way, past: Way): boolean {
    const node = (address: AddressId): string | null =>
      this.world.identities.get(this.world.tables.addresses.text(address))?.node ?? null
    const [a, b] = [node(cached.client), node(past.client)]
    if (a !== null && b !== null) return a === b
    return past.asked !== past.server && past.nodeFile !== NONE && past.nodeFile === cached.nodeFile
  }
}
