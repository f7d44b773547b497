/** distant-server: the way to the cluster's own DNS takes long, for every query. */
import type { AddressId, Time } from '../model.ts'
import { count, roughDuration } from '../quantities.ts'
import type { Hop } from '../trace/hop.ts'
import { pairOf } from '../trace/pair.ts'
import { Histogram } from '../trace/quantiles.ts'
import type { EdgeSum } from '../trace/sums.ts'
import { Tally } from '../trace/tally.ts'
import { answersOn, slowOn } from './answers.ts'
import { isHeldUp } from './at-hand.ts'
import { FrameSample } from './frame-sample.ts'
import type { Draft, Observer, Rule } from './rule.ts'
import { isClusterDns, type World, whoAll } from './world.ts'

/** Within one region no way there and back takes so long; between zones it is one or two milliseconds. */
const FAR: Time = 10e6
/** Enough that chance is no explanation ... */
const MIN_ANSWERS = 20
/** ... and nearly all that there was between the two: a server that is slow now and then is another finding's. */
const MIN_SHARE = 0.9
/** A way that is only long takes the same time for all. */
const VARIES = 1.4
/** Where both ends were captured, this part of the wait at least is the network's: else the server is slow. */
const MIN_NETWORK = 0.75

export const distantServer: Rule = {
  code: 'distant-server',
  severity: 'warning',
  title: "The way to the cluster's own DNS takes long, for every query",
  means:
    'Nothing is lost and no server is slow, yet each query waits for the way there and back. A name that is searched in four domains first waits for it five times, one after the other, so 40 ms on the way are 200 ms for the application.',
  why: "The pods of the cluster's DNS run elsewhere than those that ask: in another zone or region, behind a VPN or a tunnel, or on nodes at the far end of an overlay. kube-proxy chooses among all of them at random, the far ones included. A link that is full looks alike: then the waits differ much from query to query.",
  todo: 'Run the DNS where it is asked: NodeLocal DNSCache answers most of it on the node, a topology spread constraint puts a CoreDNS pod into every zone, and trafficDistribution of the service prefers the near ones. Fewer search steps (ndots, a dot at the end of names) make fewer ways. Measure the way with ping between the nodes, and look at the queues of the interfaces where its time varies.',
  evidence: `Answers of a server of the cluster that it had at hand (from its cache, or of its own knowledge) and that took ${FAR / 1e6} ms and more, which ${MIN_SHARE * 100} % of all answers between this asker and this server did: at least ${MIN_ANSWERS}. Where both ends were captured, they tell the network's part; silent where it is less than ${MIN_NETWORK * 100} % of the wait.`,
  links: [
    'https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/',
    'https://kubernetes.io/docs/concepts/services-networking/service/#traffic-distribution',
    'https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/',
  ],
  shownBy: ['test/findings/distant-server.txt'],
  begin: world => new DistantServer(world),
}

/** Answers that a server had at hand and that took long nevertheless. */
interface Far {
  wait: Histogram
  /** The network's part, where both ends were captured. */
  network: Histogram
  clients: Set<AddressId>
  frames: FrameSample
}

class DistantServer implements Observer {
  private readonly world: World
  /** By asker and server: how many. */
  private readonly pairs = new Tally<number, { far: number }>(() => ({ far: 0 }))
  private readonly servers = new Tally<AddressId, Far>(() => ({
    wait: new Histogram(),
    network: new Histogram(),
    clients: new Set(),
    frames: new FrameSample(),
  }))

  constructor(world: World) {
    this.world = world
  }

  hop(hop: Hop): void {
    if (!isHeldUp(hop, FAR)) return
    const { transaction: t, lookup, from, networkMs } = hop
    this.pairs.of(pairOf(from, t.server)).far++
    const far = this.servers.of(t.server)
    far.wait.add((t.end - t.start) / 1e6)
    if (networkMs !== null) far.network.add(networkMs)
    far.clients.add(lookup.client)
    far.frames.add(t)
  }

  conclude(): Draft[] {
    if (this.servers.size === 0) return []
    const edges = [...this.world.trace.sums.edges.values()].filter(({ to }) => isClusterDns(this.world, to))
    const farEdges = edges.filter(edge => this.isFar(edge))
    const servers = new Set(farEdges.map(({ to }) => to))
    const wait = new Histogram()
    const network = new Histogram()
    const frames = new FrameSample()
    const clients = new Set<AddressId>()
    for (const server of servers) {
      const far = this.servers.of(server)
      wait.merge(far.wait)
      network.merge(far.network)
      frames.addAll(far.frames)
      for (const client of far.clients) clients.add(client)
    }
    const half = wait.at(0.5) ?? 0
    const onTheWay = network.at(0.5)
    if (wait.count < MIN_ANSWERS || (onTheWay !== null && onTheWay < MIN_NETWORK * half)) return []
    const askers = new Set(farEdges.map(({ from }) => from))
    const near = new Set(edges.filter(edge => slowOn(edge, FAR / 1e6) * 2 < answersOn(edge)).map(({ from }) => from))
    for (const asker of askers) near.delete(asker)
    const isOne = servers.size === 1
    const most = wait.at(0.9) ?? 0
    const varies = most >= VARIES * half
    const inBoth =
      onTheWay === null ? '' : ` Nearly all of it passes on the network, as the captures of both ends show.`
    const beside = near.size > 0 ? ` ${whoAll(this.world, near)} had theirs sooner.` : ''
    return [
      {
        what: `Even what ${whoAll(this.world, servers)} ${isOne ? 'has' : 'have'} at hand takes long for ${whoAll(this.world, askers)}: half of ${count(wait.count)} such answers took ${roughDuration(half)} or more${varies ? `, a tenth ${roughDuration(most)} or more` : ''}.${inBoth}${beside}`,
        why:
          onTheWay === null
            ? 'It is the way there and back, unless the server is slow in everything; a capture at the server tells.'
            : 'It is the way there and back; a search list is walked step by step, and each step waits for it.',
        advice: varies
          ? 'The way takes now more and now less time: look for a full link or queue between the nodes (ip -s link, tc -s qdisc), and measure it with ping. NodeLocal DNSCache on each node spares most ways.'
          : 'Measure the way with ping between the nodes. Bring the DNS nearer: NodeLocal DNSCache on each node, or CoreDNS pods in every zone.',
        snippet: `kubectl -n kube-system get pods -l k8s-app=kube-dns -o wide
kubectl get nodes -L topology.kubernetes.io/zone`,
        count: wait.count,
        share: null,
        clients,
        servers,
        frames,
        confidence: onTheWay !== null ? 'high' : 'medium',
      },
    ]
  }

  /** Nearly all that came was far, and it was at hand. */
  private isFar(edge: EdgeSum): boolean {
    const far = this.pairs.get(pairOf(edge.from, edge.to))?.far ?? 0
    return far > 0 && slowOn(edge, FAR / 1e6) >= MIN_SHARE * answersOn(edge)
  }
}
