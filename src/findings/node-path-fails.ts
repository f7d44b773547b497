/** node-path-fails: queries to CoreDNS fail on one path only: within a node, or between nodes. */

import { type AddressId, NONE } from '../model.ts'
import { count, plural, share } from '../quantities.ts'
import { type Lookup, transactionsOf } from '../trace/lookup.ts'
import { pairOf } from '../trace/pair.ts'
import { Tally } from '../trace/tally.ts'
import { ANSWERED, isUntold, type Transaction } from '../trace/transaction.ts'
import { FrameSample } from './frame-sample.ts'
import { type Draft, type Observer, type Rule, sureFrom } from './rule.ts'
import type { World } from './world.ts'

/** A packet gets lost now and then. */
const MIN_FAILED = 5
/** Queries on the path that works: fewer are no comparison. */
const MIN_OTHERS = 20
/** The bad path loses at least this part ... */
const MIN_SHARE = 0.05
/** ... and this many times as much as the good one. */
const TIMES = 5

export const nodePathFails: Rule = {
  code: 'node-path-fails',
  severity: 'problem',
  title: 'Queries fail on one path only: within a node, or between nodes',
  means:
    'Queries of pods to a CoreDNS pod on their own node get lost, while those to CoreDNS on other nodes are answered; or the other way round. Each lookup is a matter of chance, because the service sends it to either.',
  why: 'Within a node: hairpin traffic that the bridge drops (hairpin mode, bridge-nf-call-iptables is off, so that the answer is not translated back), or rp_filter. Between nodes: the overlay or its MTU, a security group without port 53 (or 8472, 4789, 6081), one broken node.',
  todo: 'Within a node: check net.bridge.bridge-nf-call-iptables = 1 and the hairpin mode of the CNI. Between nodes: test with dig from a pod to the address of each CoreDNS pod, and look at the tunnel of the overlay. NodeLocal DNSCache avoids the path within the node.',
  evidence: `Queries of pods by whether the CoreDNS pod that they were sent to runs on the same node, as --resources (or Hubble) tells: on one path at least ${MIN_FAILED} and ${MIN_SHARE * 100} % unanswered, and ${TIMES} times the part of the other path, which has ${MIN_OTHERS} queries or more. Silent where nodes are not known.`,
  links: [
    'https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#a-pod-fails-to-reach-itself-via-the-service-ip',
    'https://kubernetes.io/docs/setup/production-environment/container-runtimes/',
    'https://github.com/kubernetes/dns/issues/480',
  ],
  shownBy: ['test/findings/node-path-fails.txt'],
  begin: world => new NodePathFails(world),
}

interface Way {
  client: AddressId
  server: AddressId
  queries: number
  failed: number
  frames: FrameSample
}

class NodePathFails implements Observer {
  private readonly world: World
  private readonly ways = new Tally<number, Way>(() => ({
    client: NONE,
    server: NONE,
    queries: 0,
    failed: 0,
    frames: new FrameSample(),
  }))

  constructor(world: World) {
    this.world = world
  }

  lookup(lookup: Lookup): void {
    // Nobody said who runs where, so nothing can come of it.
    if (this.world.identities.size === 0) return
    for (const t of transactionsOf(lookup)) this.note(t)
  }

  private note(t: Transaction): void {
    if (isUntold(t)) return
    const way = this.ways.of(pairOf(t.client, t.server))
    way.client = t.client
    way.server = t.server
    way.queries += 1 + t.retransmissions
    way.failed += t.retransmissions
    if (t.state !== ANSWERED) way.failed++
    if (t.state !== ANSWERED || t.retransmissions > 0) way.frames.add(t)
  }

  conclude(): Draft[] {
    const paths = { own: [] as Way[], other: [] as Way[] }
    for (const way of this.ways.values()) {
      const client = this.nodeOf(way.client)
      const server = this.nodeOf(way.server)
      if (client === null || server === null) continue
      paths[client === server ? 'own' : 'other'].push(way)
    }
    return [
      ...this.compare(paths.own, paths.other, 'their own node', 'other nodes'),
      ...this.compare(paths.other, paths.own, 'other nodes', 'their own node'),
    ]
  }

  private compare(bad: readonly Way[], good: readonly Way[], badPath: string, goodPath: string): Draft[] {
    const sum = (ways: readonly Way[], of: 'queries' | 'failed'): number => ways.reduce((n, way) => n + way[of], 0)
    const [failed, queries] = [sum(bad, 'failed'), sum(bad, 'queries')]
    const [goodFailed, goodQueries] = [sum(good, 'failed'), sum(good, 'queries')]
    if (failed < MIN_FAILED || failed < MIN_SHARE * queries || goodQueries < MIN_OTHERS) return []
    if (failed / queries < (TIMES * goodFailed) / goodQueries) return []
    const hit = bad.filter(way => way.failed > 0)
    const frames = new FrameSample()
    for (const way of hit) frames.addAll(way.frames)
    return [
      {
        what: `${count(failed)} of ${plural(queries, 'query', 'queries')} (${share(failed, queries)}) to CoreDNS on ${badPath} were not answered, to CoreDNS on ${goodPath} ${count(goodFailed)} of ${count(goodQueries)}.`,
        why:
          badPath === 'their own node'
            ? 'The bridge of the node drops or does not translate what stays on it (bridge-nf-call-iptables, hairpin mode).'
            : 'The network between the nodes loses packets: the overlay, its MTU, or a security group.',
        advice:
          badPath === 'their own node'
            ? 'Check net.bridge.bridge-nf-call-iptables and the hairpin mode on the nodes of these pods.'
            : 'Test the path from these nodes to each CoreDNS pod.',
        snippet:
          badPath === 'their own node'
            ? 'sysctl net.bridge.bridge-nf-call-iptables net.ipv4.conf.all.rp_filter   # on the node'
            : `dig @${this.world.tables.addresses.text(hit[0].server)} kubernetes.default.svc.cluster.local. A   # from a pod of each node`,
        count: failed,
        share: failed / queries,
        clients: hit.map(way => way.client),
        servers: new Set(hit.map(way => way.server)),
        frames,
        confidence: sureFrom(failed, MIN_FAILED),
      },
    ]
  }

  private nodeOf(address: AddressId): string | null {
    return this.world.identities.get(this.world.tables.addresses.text(address))?.node ?? null
  }
}
