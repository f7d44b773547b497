/** tcp-upstream-cost: a forwarder asks over TCP and pays for it with time. */

import { type AddressId, NONE, TCP } from '../model.ts'
import { plural, roughDuration, share } from '../quantities.ts'
import type { Hop } from '../trace/hop.ts'
import { pairOf } from '../trace/pair.ts'
import { Histogram } from '../trace/quantiles.ts'
import { Tally } from '../trace/tally.ts'
import { ANSWERED } from '../trace/transaction.ts'
import { FrameSample } from './frame-sample.ts'
import { type Draft, type Observer, type Rule, sureFrom } from './rule.ts'
import { isClusterDns, type World, who } from './world.ts'

/** A few queries tell nothing of a median. */
const MIN_QUERIES = 20
/** Over TCP a query takes this many times as long as over UDP ... */
const TIMES = 2
/** ... and this much longer: less than that nobody notices. */
const MIN_MORE_MS = 5
/** Where nobody asks the server over UDP: the part of the time that goes into opening connections. */
const MIN_HANDSHAKES = 0.3
/** Ways and their two histograms. */
const MOST_WAYS = 256

export const tcpUpstreamCost: Rule = {
  code: 'tcp-upstream-cost',
  severity: 'warning',
  title: 'Asking the next server over TCP costs time',
  means:
    'A forwarder asks its next server over TCP, and its queries take much longer than the same server needs over UDP: each new connection costs a round trip before the query leaves, and one lost segment holds up everything behind it.',
  why: 'NodeLocal DNSCache asks CoreDNS for names of the cluster with force_tcp, and so does a Corefile with "force_tcp" for upstream servers. Where connections are not kept (a server that closes them, "expire" that is too short, a load balancer between the two) nearly every query pays for its own handshake.',
  todo: 'Keep connections open ("expire 60s" in the forward block), or take force_tcp out for servers on a reliable network ("prefer_udp"). Mind why it is there: over TCP no UDP packet can be lost in connection tracking.',
  evidence: `Answered queries of a forwarder, by server and transport, the time from the SYN included for the first query of a connection: the median over TCP is at least ${TIMES} times and ${MIN_MORE_MS} ms more than over UDP to the same server, from ${MIN_QUERIES} queries of each. Where nobody asks it over UDP: handshakes are ${MIN_HANDSHAKES * 100} % of all time and take at least ${MIN_MORE_MS} ms each.`,
  links: [
    'https://coredns.io/plugins/forward/',
    'https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/',
    'https://github.com/kubernetes/kops/issues/9917',
  ],
  shownBy: ['test/findings/tcp-upstream-cost.txt'],
  begin: world => new TcpUpstreamCost(world),
}

interface Way {
  from: AddressId
  server: AddressId
  times: Histogram
  sum: number
  connections: number
  handshakes: number
  clients: Set<AddressId>
  frames: FrameSample
}

class TcpUpstreamCost implements Observer {
  private readonly world: World
  private readonly overTcp = new Tally<number, Way>(
    () => ({
      from: NONE,
      server: NONE,
      times: new Histogram(),
      sum: 0,
      connections: 0,
      handshakes: 0,
      clients: new Set(),
      frames: new FrameSample(),
    }),
    MOST_WAYS,
  )
  private readonly overUdp = new Tally<AddressId, Histogram>(() => new Histogram(), MOST_WAYS)

  constructor(world: World) {
    this.world = world
  }

  hop({ transaction: t, from, forwarder, lookup }: Hop): void {
    if (t.state !== ANSWERED || t.retransmissions > 0) return
    const wait = (t.end - t.start) / 1e6
    if (t.transport !== TCP) {
      // Nothing to compare with where nobody asks over TCP.
      if (this.overTcp.size > 0) this.overUdp.of(t.server).add(wait)
      return
    }
    if (!forwarder) return
    const way = this.overTcp.of(pairOf(from, t.server))
    way.from = from
    way.server = t.server
    const handshake = Number.isNaN(t.sinceSyn) ? 0 : t.sinceSyn / 1e6
    if (handshake > 0) way.connections++
    way.handshakes += handshake
    way.times.add(wait + handshake)
    way.sum += wait + handshake
    if (lookup) way.clients.add(lookup.client)
    way.frames.add(t)
  }

  conclude(): Draft[] {
    return [...this.overTcp.values()]
      .filter(way => way.times.count >= MIN_QUERIES && isClusterDns(this.world, way.from))
      .flatMap(way => {
        const udp = this.overUdp.get(way.server)
        const tcpMs = way.times.at(0.5) ?? 0
        const udpMs = udp && udp.count >= MIN_QUERIES ? udp.at(0.5) : null
        const isDear =
          udpMs !== null
            ? tcpMs >= TIMES * udpMs && tcpMs - udpMs >= MIN_MORE_MS
            : way.handshakes >= MIN_HANDSHAKES * way.sum && way.handshakes >= MIN_MORE_MS * way.connections
        return isDear && way.sum > 0 ? [this.draft(way, tcpMs, udpMs)] : []
      })
  }

  private draft(way: Way, tcpMs: number, udpMs: number | null): Draft {
    const { times, connections, handshakes, sum } = way
    const against = udpMs === null ? '' : ` (over UDP ${roughDuration(udpMs)})`
    return {
      what: `${who(this.world, way.from)} asked ${who(this.world, way.server)} ${plural(times.count, 'time')} over TCP: half of the queries took ${roughDuration(tcpMs)} or more${against}, ${plural(connections, 'new connection')} took ${share(handshakes, sum)} of the time.`,
      why:
        connections * 2 >= times.count
          ? 'Connections are not kept: most queries pay for a handshake of their own.'
          : 'Over TCP a query waits for the handshake, and for what was lost before it.',
      advice: 'Keep connections open, or let the forwarder use UDP where the network loses nothing.',
      snippet: `# Corefile of the forwarder
forward . ${this.world.tables.addresses.text(way.server)} {
    expire 60s
    prefer_udp   # in the place of force_tcp
}`,
      count: times.count,
      share: sum > 0 ? handshakes / sum : null,
      clients: way.clients,
      servers: [way.server],
      frames: way.frames,
      confidence: udpMs === null ? 'medium' : sureFrom(times.count, MIN_QUERIES),
    }
  }
}
