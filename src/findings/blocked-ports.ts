/** blocked-ports: queries from some source ports never get an answer, and those from all others do. */
import { type AddressId, TCP, type Time } from '../model.ts'
import { count, plural } from '../quantities.ts'
import type { Hop } from '../trace/hop.ts'
import { ANSWERED, UNANSWERED } from '../trace/transaction.ts'
import { FrameSample } from './frame-sample.ts'
import { type Draft, type Observer, type Rule, sureFrom } from './rule.ts'
import { type World, whoAll } from './world.ts'

/** Different ports without an answer, side by side: one lost packet in two would be so by chance once in a thousand times. */
const MIN_PORTS = 8
/** Of all ports without an answer: others lose packets, too. */
const MIN_SHARE = 0.8
/** Other ports that got answers. */
const MIN_OTHERS = 20
const PORTS = 1 << 16
/** Clients of which ports are remembered, and queries without an answer. */
const MOST_CLIENTS = 256
const MOST_SILENT = 4_000

export const blockedPorts: Rule = {
  code: 'blocked-ports',
  severity: 'problem',
  title: 'Queries from some source ports never get an answer',
  means:
    'A resolver takes a new source port at random for most lookups. Those that get one of the range wait until they give up, as every retry comes from the same port (glibc, musl) and is lost, too; all others are fine. It looks like chance, on every client, and a test with dig shows nothing mostly.',
  why: 'Something on the way drops packets by their source port: a firewall, a security group or a network ACL that knows another range of ephemeral ports than Linux uses (32768 to 60999), a rule against a service that listens in this range, or a NAT gateway whose ports are divided up.',
  todo: 'Compare net.ipv4.ip_local_port_range of the clients with the rules on the way, those of responses included: their destination port is the same one. A NetworkPolicy knows no source ports, so it is not to blame. A query from a chosen port proves it: dig -b 0.0.0.0#PORT.',
  evidence: `Queries over UDP of clients of which at least one got no answer, by source port: ${MIN_PORTS} or more different ports side by side, ${MIN_SHARE * 100} % of all without an answer, with not one answered among them, while ${MIN_OTHERS} or more other ports of the same clients got answers, most of them between those that got none. Silent otherwise: an outage does not choose ports.`,
  links: [
    'https://docs.kernel.org/networking/ip-sysctl.html#ip-variables',
    'https://docs.aws.amazon.com/vpc/latest/userguide/custom-network-acl.html#nacl-ephemeral-ports',
  ],
  shownBy: ['test/findings/blocked-ports.txt'],
  begin: world => new BlockedPorts(world),
}

/** Somebody who did not get an answer at least once. */
interface Loser {
  latestSilent: Time
  /** Answers since the latest query without one, and before it. */
  since: number
  between: number
}

/** Ports without an answer, side by side, with no answered one among them. */
interface Run {
  from: number
  to: number
  /** How many there are. */
  ports: number
}

const NO_RUN: Run = { from: 0, to: -1, ports: 0 }

class BlockedPorts implements Observer {
  private readonly world: World
  private readonly losers = new Map<AddressId, Loser>()
  /** Ports from which queries were answered, of clients who had lost one before. */
  private readonly answered = new Uint8Array(PORTS)
  private readonly silent: { port: number; client: AddressId; server: AddressId; frames: FrameSample }[] = []

  constructor(world: World) {
    this.world = world
  }

  hop({ transaction: t, lookup }: Hop): void {
    if (t.state === ANSWERED) {
      if (this.losers.size > 0) this.noteAnswer(t.client, t.clientPort, t.start)
      return
    }
    if (t.state !== UNANSWERED || lookup === null || t.transport === TCP) return
    let loser = this.losers.get(t.client)
    if (loser === undefined) {
      if (this.losers.size === MOST_CLIENTS) return
      loser = { latestSilent: t.start, since: 0, between: 0 }
      this.losers.set(t.client, loser)
    }
    if (t.start > loser.latestSilent) {
      loser.latestSilent = t.start
      loser.between += loser.since
      loser.since = 0
    }
    if (this.silent.length === MOST_SILENT) return
    const frames = new FrameSample()
    frames.add(t)
    this.silent.push({ port: t.clientPort, client: t.client, server: t.server, frames })
  }

  private noteAnswer(client: AddressId, port: number, start: Time): void {
    const loser = this.losers.get(client)
    if (loser === undefined) return
    this.answered[port] = 1
    if (start > loser.latestSilent) loser.since++
    else loser.between++
  }

  conclude(): Draft[] {
    const ports = [...new Set(this.silent.map(({ port }) => port))].sort((a, b) => a - b)
    const range = this.longestRun(ports)
    let others = 0
    for (const isAnswered of this.answered) others += isAnswered
    if (range.ports < MIN_PORTS || range.ports < MIN_SHARE * ports.length || others < MIN_OTHERS) return []
    const silent = this.silent.filter(({ port }) => port >= range.from && port <= range.to)
    const clients = new Set(silent.map(({ client }) => client))
    const between = [...clients].reduce((n, client) => n + (this.losers.get(client)?.between ?? 0), 0)
    if (between < silent.length) return []
    const servers = new Set(silent.map(({ server }) => server))
    const frames = new FrameSample()
    for (const { frames: shown } of silent) frames.addAll(shown)
    const asked = whoAll(this.world, servers)
    return [
      {
        what: `None of ${plural(silent.length, 'query', 'queries')} from source ports ${range.from} to ${range.to} (${count(range.ports)} different ones) got an answer from ${asked}, while the same clients (${whoAll(this.world, clients)}) got answers on ${count(others)} other ports${this.nearest(range)}.`,
        why: 'No lost packet and no dead server chooses ports: something on the way drops by source port, or the responses by that as their destination port.',
        advice: `Look at firewalls, security groups and network ACLs between these clients and ${asked} for rules by source port, and at NAT on the way. It is no NetworkPolicy: those know no source ports.`,
        snippet: `sysctl net.ipv4.ip_local_port_range   # in the pod
nft list ruleset | grep -n sport; iptables-save | grep -e --sport   # on the nodes`,
        count: silent.length,
        share: null,
        clients,
        servers,
        frames,
        confidence: sureFrom(range.ports, MIN_PORTS),
      },
    ]
  }

  private longestRun(ports: readonly number[]): Run {
    let best = NO_RUN
    let run = NO_RUN
    for (const port of ports) {
      if (this.answered[port]) {
        run = NO_RUN
        continue
      }
      run = this.hasAnswered(run.to + 1, port)
        ? { from: port, to: port, ports: 1 }
        : { from: run.ports === 0 ? port : run.from, to: port, ports: run.ports + 1 }
      if (run.ports > best.ports) best = run
    }
    return best
  }

  private hasAnswered(from: number, to: number): boolean {
    const at = this.answered.indexOf(1, from)
    return at >= 0 && at < to
  }

  /** A range is better known by what lies beside it. */
  private nearest({ from, to }: Run): string {
    const below = this.answered.lastIndexOf(1, from)
    const above = this.answered.indexOf(1, to)
    const ends = [below, above].filter(port => port >= 0)
    return ends.length === 0 ? '' : `, the nearest of them ${ends.join(' and ')}`
  }
}
