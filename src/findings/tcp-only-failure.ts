/** tcp-only-failure: a server answers over UDP, and hardly ever over TCP. */
import { type AddressId, CONTENT_CUT, TCP } from '../model.ts'
import { count, plural, share } from '../quantities.ts'
import type { Hop } from '../trace/hop.ts'
import { Tally } from '../trace/tally.ts'
import { ANSWERED, isUntold } from '../trace/transaction.ts'
import { FrameSample } from './frame-sample.ts'
import { type Draft, type Observer, type Rule, sureFrom } from './rule.ts'
import { serverRole, type World, who } from './world.ts'

/** A connection may break once. */
const MIN_FAILED = 5
/** Of the queries over TCP at least this part gets nothing ... */
const MIN_SHARE = 0.5
/** ... while over UDP nearly all of so many are answered: the server is alive. */
const MIN_UDP = 10
const MIN_UDP_ANSWERED = 0.9
/** A snap length that cuts messages hides the answers over TCP. */
const MAX_CUT = 0.01

export const tcpOnlyFailure: Rule = {
  code: 'tcp-only-failure',
  severity: 'problem',
  title: 'DNS works over UDP and fails over TCP',
  means:
    'A server answers what comes over UDP, and leaves unanswered, or resets, what comes over TCP. Most lookups are fine, so monitoring is green; those whose answer is too large for UDP, and forwarders that insist on TCP (NodeLocal DNSCache with force_tcp), fail.',
  why: 'A NetworkPolicy, security group or firewall lets port 53 pass for UDP only; conntrack or NOTRACK rules are missing for TCP, for example after a restart of NodeLocal DNSCache; or the server does not listen on TCP.',
  todo: 'Allow TCP to port 53 wherever UDP is allowed. Look at the rules of the node (iptables -t raw) where the server is NodeLocal DNSCache, and test with dig +tcp.',
  evidence: `Queries to one server, by transport: at least ${MIN_FAILED} over TCP, and ${MIN_SHARE * 100} % of them, got no answer or a reset (connections whose SYN was sent again or refused count as one query each), while over UDP ${MIN_UDP_ANSWERED * 100} % of ${MIN_UDP} or more were answered. Silent where the snap length cut messages.`,
  links: [
    'https://datatracker.ietf.org/doc/html/rfc7766',
    'https://github.com/kubernetes/dns/issues/745',
    'https://kubernetes.io/docs/concepts/services-networking/network-policies/',
  ],
  shownBy: ['test/findings/tcp-only-failure.txt'],
  begin: world => new TcpOnlyFailure(world),
}

interface Server {
  udp: number
  udpAnswered: number
  tcp: number
  tcpFailed: number
  /** Of those, connections of which only the SYN got out. */
  unopened: number
  clients: Set<AddressId>
  frames: FrameSample
}

class TcpOnlyFailure implements Observer {
  private readonly world: World
  private hops = 0
  private cut = 0
  private readonly servers = new Tally<AddressId, Server>(() => ({
    udp: 0,
    udpAnswered: 0,
    tcp: 0,
    tcpFailed: 0,
    unopened: 0,
    clients: new Set(),
    frames: new FrameSample(),
  }))

  constructor(world: World) {
    this.world = world
  }

  hop({ transaction: t }: Hop): void {
    this.hops++
    if (t.content & CONTENT_CUT) this.cut++
    if (isUntold(t)) return
    const server = this.servers.of(t.asked)
    if (t.transport !== TCP) {
      server.udp++
      if (t.state === ANSWERED) server.udpAnswered++
      return
    }
    server.tcp++
    if (t.state === ANSWERED) return
    server.tcpFailed++
    server.clients.add(t.client)
    server.frames.add(t)
  }

  /** Of a service what serves it may be known. */
  private isKnown(address: AddressId): boolean {
    const behind = this.world.trace.endpoints.serversBehind(address)
    return [address, ...behind].some(server => serverRole(this.world, server) !== 'unknown')
  }

  conclude(): Draft[] {
    if (this.cut > MAX_CUT * this.hops) return []
    for (const { client, server, silent, refused, frames } of this.world.trace.matching.unopened.list) {
      const sum = this.servers.of(server)
      sum.tcp += silent + refused
      sum.tcpFailed += silent + refused
      sum.unopened += silent + refused
      sum.clients.add(client)
      sum.frames.addFrames(frames)
    }
    return [...this.servers]
      .filter(([, s]) => s.tcpFailed >= MIN_FAILED && s.tcpFailed >= MIN_SHARE * s.tcp)
      .filter(([, s]) => s.udp >= MIN_UDP && s.udpAnswered >= MIN_UDP_ANSWERED * s.udp)
      .filter(([address]) => this.isKnown(address))
      .map(([address, s]) => ({
        what: `${who(this.world, address)} left ${count(s.tcpFailed)} of ${plural(s.tcp, 'query', 'queries')} over TCP (${share(s.tcpFailed, s.tcp)}) without an answer${s.unopened > 0 ? `, ${count(s.unopened)} of them as the connection could not be opened` : ''}; over UDP it answered ${count(s.udpAnswered)} of ${count(s.udp)}.`,
        why: isOpened(s)
          ? 'The connections were opened and the queries sent, so TCP is allowed: what does not come through is large segments (an MTU on the way that is smaller than the hosts think), or the server does not answer.'
          : 'A policy or firewall lets UDP pass and not TCP, or the server does not listen there.',
        advice: isOpened(s)
          ? 'Compare the MTU of the pods with that of the way between the nodes (overlay, VPN): ping with large packets that may not be cut; then look at the log of the server.'
          : 'Allow TCP to port 53 wherever UDP is allowed; on the node look at the rules for the address.',
        snippet: isOpened(s)
          ? `ping -c 3 -M do -s 1422 ${this.world.tables.addresses.text(address)}   # from the pod; with 28 bytes of headers 1,450
ip link | grep mtu`
          : `dig +tcp @${this.world.tables.addresses.text(address)} kubernetes.io A
iptables -t raw -S | grep -w 53   # on the node, for NodeLocal DNSCache`,
        count: s.tcpFailed,
        share: s.tcpFailed / s.tcp,
        clients: s.clients,
        servers: [address],
        frames: s.frames,
        confidence: sureFrom(s.tcpFailed, MIN_FAILED),
      }))
  }
}

/** Queries are sent on connections that are open. */
const isOpened = ({ tcpFailed, unopened }: Server): boolean => unopened * 2 < tcpFailed
