/** dns-policy: which pods ask the cluster's DNS and which a server outside, as their dnsPolicy makes them. */

import { NXDOMAIN } from '../codes.ts'
import { type AddressId, NONE, type PodDns, TCP } from '../model.ts'
import { count, plural } from '../quantities.ts'
import { type Lookup, transactionsOf } from '../trace/lookup.ts'
import { pairOf } from '../trace/pair.ts'
import { Tally } from '../trace/tally.ts'
import { ANSWERED } from '../trace/transaction.ts'
import { NODES_OWN } from '../well-known.ts'
import { FrameSample } from './frame-sample.ts'
import type { Draft, Observer, Rule } from './rule.ts'
import { clientRole, isClusterDns, serverRole, type World, who, whoAll, zoneOf } from './world.ts'

/** One lookup by hand (dig @server) is no policy. */
const MIN_QUERIES = 4
/** Names of the cluster denied outside: from here on the pod needs what it cannot get. */
const MIN_DENIED = 5

export const dnsPolicy: Rule = {
  code: 'dns-policy',
  severity: 'warning',
  title: 'Pods resolve along different ways (dnsPolicy)',
  means:
    "Not all clients ask the cluster's DNS. Some ask a server outside, so they know nothing of services, do not share the cluster's caches, and fail or succeed for other reasons than their neighbours. This is often meant so; in an incident it explains why one pod resolves and the next one does not. It becomes a warning where a pod asks a server outside for names of the cluster and is told that they do not exist.",
  why: 'ClusterFirst (the default) writes the address of kube-dns and the search domains of the namespace into resolv.conf. Default copies the resolv.conf of the node. None takes only what dnsConfig says. A pod in the host network behaves like Default unless its policy is ClusterFirstWithHostNet.',
  todo: 'Compare the list with what was intended. A pod in the host network that needs services must have ClusterFirstWithHostNet; one with Default or None cannot resolve names of services. Behind SNAT the upstream sees only the node: capture at the pod to tell them apart.',
  evidence: `For each client the servers that it asked itself (forwarders left out) and the search domains that it tried there. A pod that asks an upstream server with search domains of the cluster has None, one without has Default (or None). Where --resources tells a pod's dnsPolicy, it is held against what the pod does: a warning where most of its queries go another way. Silent below ${MIN_QUERIES} queries, while all clients are pods that ask the cluster's DNS, and where nobody does; a warning from ${MIN_DENIED} denied names of the cluster.`,
  links: [
    'https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#pod-s-dns-policy',
    'https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#pod-dns-config',
  ],
  shownBy: ['samples/12-dnspolicy.pcap', 'test/findings/dns-policy.txt', 'recordings 12-dnspolicy and 02-nodelocal'],
  begin: world => new DnsPolicy(world),
}

const POLICIES = [
  'ClusterFirst',
  'ClusterFirstWithHostNet',
  'Default',
  'None',
  'Default (node or host network)',
] as const
type Policy = (typeof POLICIES)[number]

interface Way {
  client: AddressId
  server: AddressId
  queries: number
  overTcp: number
  searchesCluster: boolean
  /** Names with the shape of a service's that were denied. */
  denied: number
  /** Its first query. */
  first: FrameSample
}

class DnsPolicy implements Observer {
  private readonly world: World
  private readonly ways = new Tally<number, Way>(() => ({
    client: NONE,
    server: NONE,
    queries: 0,
    overTcp: 0,
    searchesCluster: false,
    denied: 0,
    first: new FrameSample(),
  }))

  constructor(world: World) {
    this.world = world
  }

  lookup(lookup: Lookup): void {
    const searchesCluster = lookup.suffixes.some(suffix => suffix?.includes('.svc.'))
    for (const t of transactionsOf(lookup)) {
      const way = this.ways.of(pairOf(t.client, t.server))
      way.client = t.client
      way.server = t.server
      way.queries++
      if (t.transport === TCP) way.overTcp++
      if (way.queries === 1) way.first.add(t)
      if (searchesCluster) way.searchesCluster = true
      if (
        t.state === ANSWERED &&
        t.rcode === NXDOMAIN &&
        t.qname !== NONE &&
        this.world.tables.names.isService(t.qname)
      )
        way.denied++
    }
  }

  conclude(): Draft[] {
    const zone = zoneOf(this.world)
    if (zone === null) return []
    // Stub resolvers begin with UDP: who asks over TCP is a forwarder of which only this side was captured.
    const ways = [...this.ways.values()].filter(way => way.queries >= MIN_QUERIES && way.overTcp < way.queries / 2)
    const byPolicy = new Map<Policy, Way[]>()
    for (const way of ways) {
      const policy = this.policyOf(way)
      if (policy === null) continue
      const same = byPolicy.get(policy) ?? []
      byPolicy.set(policy, same)
      same.push(way)
    }
    const others = (['ClusterFirstWithHostNet', 'Default', 'None'] as const).flatMap(
      policy => byPolicy.get(policy) ?? [],
    )
    const contrary = ways.filter(way => this.isContrary(way, ways))
    const isMixed = others.length > 0 && [...byPolicy.keys()].some(policy => policy.startsWith('ClusterFirst'))
    if (!isMixed && contrary.length === 0) return []
    const told = POLICIES.flatMap(policy => {
      const same = byPolicy.get(policy)
      return same ? [this.tell(policy, same)] : []
    })
    const outside = [...(byPolicy.get('Default') ?? []), ...(byPolicy.get('None') ?? [])]
    const denied = outside.filter(way => way.denied >= MIN_DENIED)
    const frames = new FrameSample()
    for (const { first } of [...contrary, ...others]) frames.addAll(first)
    const misled =
      denied.length === 0
        ? ''
        : ` ${whoAll(
            this.world,
            denied.map(way => way.client),
          )} asked outside for names of ${zone} and got NXDOMAIN ${count(denied.reduce((n, way) => n + way.denied, 0))} times.`
    return [
      {
        severity: denied.length + contrary.length > 0 ? 'warning' : 'info',
        what: `${told.join('; ')}.${misled}${contrary
          .slice(0, 3)
          .map(way => this.tellContrary(way))
          .join('')}`,
        why: "A pod's dnsPolicy decides which server and search domains its resolv.conf names; only the cluster's DNS knows services.",
        advice:
          denied.length > 0
            ? `Names of ${zone} exist only in the cluster's DNS: give these pods dnsPolicy ClusterFirst (in the host network ClusterFirstWithHostNet), or take the cluster's search domains out of their dnsConfig.`
            : contrary.length > 0
              ? 'See what resolv.conf in these pods says, and whether the application brings a resolver of its own.'
              : 'Nothing to do if this is intended.',
        snippet: `kubectl get pods -A -o custom-columns=NS:.metadata.namespace,POD:.metadata.name,IP:.status.podIP,POLICY:.spec.dnsPolicy,HOST:.spec.hostNetwork`,
        count: new Set([...others, ...contrary]).size,
        share: null,
        clients: [...others, ...contrary].map(way => way.client),
        servers: new Set([...others, ...contrary].map(way => way.server)),
        frames,
        confidence: 'medium',
      },
    ]
  }

  private policyOf({ client, server, searchesCluster }: Way): Policy | null {
    const role = clientRole(this.world, client)
    if (role !== 'pod' && role !== 'host') return null
    const isNodes = NODES_OWN.has(this.world.tables.addresses.text(server))
    // With Cloud DNS for GKE the cluster's names are the cloud's resolver's.
    const isClusters = isClusterDns(this.world, server) || this.world.trace.endpoints.servesCluster(server)
    if (isClusters && !isNodes) return role === 'pod' ? 'ClusterFirst' : 'ClusterFirstWithHostNet'
    if (serverRole(this.world, server) !== 'upstream' && !isNodes) return null
    if (role === 'host') return 'Default (node or host network)'
    return searchesCluster ? 'None' : 'Default'
  }

  private declared({ client }: Way): PodDns | undefined {
    return this.world.identities.get(this.world.tables.addresses.text(client))?.dns
  }

  /** Most of what the pod asks goes another way than its dnsPolicy says. */
  private isContrary(way: Way, ways: readonly Way[]): boolean {
    const declared = this.declared(way)
    const policy = this.policyOf(way)
    if (declared === undefined || policy === null || declared.policy === 'None') return false
    if (policy.startsWith('ClusterFirst') === declared.policy.startsWith('ClusterFirst')) return false
    if (declared.nameservers.includes(this.world.tables.addresses.text(way.server))) return false
    const all = ways.filter(other => other.client === way.client).reduce((n, other) => n + other.queries, 0)
    return way.queries > all / 2
  }

  private tellContrary(way: Way): string {
    return ` ${who(this.world, way.client)} has dnsPolicy ${this.declared(way)?.policy}, and asks ${who(this.world, way.server)}.`
  }

  private tell(policy: Policy, ways: readonly Way[]): string {
    const clients = new Set(ways.map(way => way.client))
    if (policy.startsWith('ClusterFirst') && clients.size > 2) return `${policy}: ${plural(clients.size, 'client')}`
    const servers = [...new Set(ways.map(way => way.server))].map(server => who(this.world, server))
    const where = policy.startsWith('ClusterFirst') ? '' : ` asking ${servers.join(', ')}`
    return `${policy}: ${whoAll(this.world, clients)}${where}`
  }
}
