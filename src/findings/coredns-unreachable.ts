/** coredns-unreachable: pods get no answer from the cluster's DNS at all, while perhaps the node resolves. */
import { A, AAAA, SERVFAIL, typeName } from '../codes.ts'
import { type AddressId, EDNS_SIZE, NONE, TCP, type Time } from '../model.ts'
import { count, plural } from '../quantities.ts'
import { type Lookup, transactionsOf } from '../trace/lookup.ts'
import type { Outage } from '../trace/outages.ts'
import { Tally } from '../trace/tally.ts'
import { ANSWERED, type Transaction, UNANSWERED, UNREACHED } from '../trace/transaction.ts'
import { kept } from '../trace/transactions.ts'
import { FrameSample } from './frame-sample.ts'
import { type Concluded, type Draft, type Observer, type Rule, sureFrom, tellsOf } from './rule.ts'
import { saidOf, staleAdvice } from './server-outage.ts'
import { clientRole, isClusterDns, serverRole, type World, whoAll } from './world.ts'

/** A CoreDNS pod that is replaced makes a few lookups fail for a moment; this many are more than a moment, ... */
const MIN_LOOKUPS = 5
/** ... and so are these few, of a single pod say, from the first query to the last one. */
const FEW_LOOKUPS = 2
const MORE_THAN_A_MOMENT: Time = 10e9
/** One lost packet is no outage: a lookup counts when this many of its queries, and all of them, got nothing. */
const MIN_QUERIES = 2
/** Who was answered when is remembered in steps of this. */
const STEP: Time = 1e9
/** Times at which a server answered nobody that are told. */
const MOST_TIMES = 3
/** The largest UDP size with which no answer comes in fragments (DNS flag day 2020). */
const MIN_LARGE = 1232
/** Dead lookups that are remembered one by one. */
const MOST_DEAD = 5_000

export const corednsUnreachable: Rule = {
  code: 'coredns-unreachable',
  severity: 'problem',
  title: "Pods get no answer from the cluster's DNS",
  means:
    "Lookups of pods end without a single answer: their queries to the cluster's DNS vanish, or an ICMP message says that nobody listens. Where NodeLocal DNSCache stands in between, it answers SERVFAIL for names of the cluster. The node itself, which asks the upstream servers directly, resolves all the while, so the network and the upstream are not to blame.",
  why: '"Port unreachable" from the address of the service means that kube-proxy has no ready endpoint to send to; from a pod, that its CoreDNS process is gone while the endpoint still stands in the list. Silence means that something drops the packets: a NetworkPolicy (egress of the pod, or ingress of CoreDNS) without port 53 over UDP and TCP, a security group between the nodes, a broken overlay, or a node that died.',
  todo: 'Look at the CoreDNS pods and the endpoints of kube-dns first. If both are well, compare who suffers: one namespace or pod speaks for a NetworkPolicy, the pods of one node for the network of that node, everybody for CoreDNS. A capture on both nodes tells on which side the query is lost.',
  evidence: `Lookups of at least ${MIN_QUERIES} queries of which not one was answered, sent to a server of the cluster (or asking for a service's name), and lookups for names of the cluster that NodeLocal DNSCache answered with SERVFAIL. Silent below ${MIN_LOOKUPS} lookups, or ${FEW_LOOKUPS} where these alone reach over ${MORE_THAN_A_MOMENT / 1e9} s. Clients that ask an upstream server directly are compared over the same time.`,
  links: [
    'https://kubernetes.io/docs/tasks/administer-cluster/dns-debugging-resolution/',
    'https://kubernetes.io/docs/concepts/services-networking/network-policies/',
    'https://coredns.io/manual/toc/',
  ],
  shownBy: ['test/findings/coredns-unreachable.txt', 'recording 05-coredns-down'],
  begin: world => new CorednsUnreachable(world),
}

/** Answers of a server to a client within one step of time. */
interface Answered {
  client: AddressId
  server: AddressId
  step: number
  first: Time
  last: Time
  answered: number
}

interface Dead {
  client: AddressId
  server: AddressId
  /** Says of itself that it is for the cluster's DNS. */
  forService: boolean
  refused: boolean
  start: Time
  /** When its client asked for the last time. */
  lastQuery: Time
  end: Time
  first: Transaction
}

/** Who was answered by whom, and when. What is oldest is forgotten, which costs no more than a sentence. */
class Served {
  /** By client, server and step of time. */
  private readonly answers = new Tally<string, Answered>(() => ({
    client: NONE,
    server: NONE,
    step: NONE,
    first: 0,
    last: 0,
    answered: 0,
  }))
  /** The latest of each client: nearly always the one that is meant. By address. */
  private readonly latest: Answered[] = []

  get list(): readonly Answered[] {
    return this.answers.values()
  }

  note(t: Transaction): void {
    const step = Math.floor(t.lastQuery / STEP)
    let entry: Answered | undefined = this.latest[t.client]
    if (!entry || entry.server !== t.server || entry.step !== step) {
      // The later, the heavier.
      entry = this.answers.of(`${t.client} ${t.server} ${step}`, step)
      entry.step = step
      this.latest[t.client] = entry
    }
    if (entry.answered === 0) {
      entry.client = t.client
      entry.server = t.server
      entry.first = entry.last = t.lastQuery
    }
    entry.first = Math.min(entry.first, t.lastQuery)
    entry.last = Math.max(entry.last, t.lastQuery)
    entry.answered++
  }
}

class CorednsUnreachable implements Observer {
  private readonly world: World
  private readonly dead: Dead[] = []
  private more = 0
  private lookups = 0
  private answered = 0
  /** Lookups with SERVFAIL for a name of the cluster, by the server that gave it. */
  private readonly failing = new Tally<AddressId, { lookups: number; clients: Set<AddressId>; frames: FrameSample }>(
    () => ({ lookups: 0, clients: new Set(), frames: new FrameSample() }),
  )
  private readonly served = new Served()

  constructor(world: World) {
    this.world = world
  }

  lookup(lookup: Lookup): void {
    this.lookups++
    let queries = 0
    let answered = 0
    let unknown = 0
    let refused = false
    let failed: Transaction | null = null
    for (const t of transactionsOf(lookup)) {
      queries += 1 + t.retransmissions
      if (t.state === ANSWERED) {
        answered++
        this.served.note(t)
        if (t.rcode === SERVFAIL && this.isService(t)) failed ??= t
      } else if (t.state === UNREACHED) refused = true
      // Seen somewhere, its answer was lost on the way: the server is there.
      else if (t.state !== UNANSWERED) unknown++
    }
    const first = lookup.candidates[0].transactions[0]
    if (answered > 0) this.answered++
    if (failed) this.noteFailure(failed)
    // Stub resolvers begin with UDP: over TCP it is a forwarder, whose own clients tell what they suffer.
    if (answered > 0 || unknown > 0 || queries < MIN_QUERIES || first.transport === TCP) return
    if (this.dead.length >= MOST_DEAD) {
      this.more++
      return
    }
    this.dead.push({
      client: lookup.client,
      server: first.server,
      forService: lookup.candidates.some(({ name }) => name.includes('.svc.')),
      refused,
      start: lookup.start,
      lastQuery: Math.max(...transactionsOf(lookup).map(t => t.lastQuery)),
      end: Math.max(lookup.latest, lookup.start + (Number.isNaN(lookup.wait) ? 0 : lookup.wait)),
      first: kept(first),
    })
  }

  private isService(t: Transaction): boolean {
    return t.qname !== NONE && this.world.tables.names.isService(t.qname)
  }

  private noteFailure(t: Transaction): void {
    const failing = this.failing.of(t.server)
    failing.lookups++
    failing.clients.add(t.client)
    failing.frames.add(t)
  }

  conclude(earlier: readonly Concluded[]): Draft[] {
    // Everything came again: it is no capture of one direction.
    const isDead = this.answered === 0 && this.world.trace.oneWay.isDead
    const dead = this.dead.filter(({ client, server, forService }) => {
      // What a forwarder lost counts where its own client suffers.
      if (this.world.trace.forwarding.forwardersAt(client).length > 0) return false
      const role = serverRole(this.world, server)
      if (role === 'unknown' && isDead) return true
      return role === 'coredns' || role === 'node-local-cache' || (forService && role !== 'upstream')
    })
    const failing = [...this.failing].filter(([server]) => serverRole(this.world, server) === 'node-local-cache')
    const servfails = failing.reduce((n, [, f]) => n + f.lookups, 0)
    const lookups = dead.length + this.more + servfails
    if (lookups < MIN_LOOKUPS && !(dead.length >= FEW_LOOKUPS && reachOf(dead) >= MORE_THAN_A_MOMENT)) return []
    const refused = dead.filter(d => d.refused)
    const silent = dead.filter(d => !d.refused)
    const clients = new Set([...dead.map(d => d.client), ...failing.flatMap(([, f]) => [...f.clients])])
    const servers = new Set([...dead.map(d => d.server), ...failing.map(([server]) => server)])
    const frames = new FrameSample()
    // Some of each kind: they have different causes.
    for (const d of refused.slice(0, 4)) frames.add(d.first)
    for (const d of silent.slice(0, 4)) frames.add(d.first)
    for (const [, f] of failing) frames.addAll(f.frames)
    const parts = [
      refused.length > 0 ? `${plural(refused.length, 'lookup')} met "unreachable" (ICMP)` : '',
      silent.length + this.more > 0 ? `${plural(silent.length + this.more, 'lookup')} got no answer` : '',
      servfails > 0
        ? `${plural(servfails, 'lookup')} got SERVFAIL for cluster names from ${whoAll(
            this.world,
            failing.map(([server]) => server),
          )}`
        : '',
    ].filter(Boolean)
    const who = `${whoAll(this.world, servers)} failed ${plural(clients.size, 'client')} (${whoAll(this.world, clients)})`
    // Nothing came back to anybody: CoreDNS is down for all, or the capture shows one direction only.
    const blind = this.answered === 0 && refused.length === 0 && !isDead
    const alone = blind
      ? ' The capture holds no answer at all: it may show one direction only.'
      : isDead && refused.length === 0
        ? ' The capture holds no answer at all, and nearly everything was asked again, as after silence.'
        : tellsOf(earlier, 'blocked-ports', new Set(silent.map(d => d.client)))
          ? ' Which source ports that hits, blocked-ports tells.'
          : this.othersWereServed(silent)
    const isByPort = refused.length === 0 && servfails === 0 && tellsOf(earlier, 'blocked-ports', clients)
    const direct = this.servedDirectly(dead, clients)
    const outages = this.world.trace.outages.conclude().filter(({ server }) => servers.has(server))
    const stale = staleAdvice(this.world, outages)
    const isNodeLocal = servfails === 0 && [...servers].every(s => serverRole(this.world, s) === 'node-local-cache')
    return [
      {
        severity: blind ? 'warning' : 'problem',
        what: `${who}: ${parts.join(', ')}.${this.unopened(servers)}${this.times(outages)}${alone}${direct}`,
        why: [
          refused.length > 0 || (servfails > 0 && dead.length === 0)
            ? '"Unreachable" means that no CoreDNS process listens, or that the service has no ready endpoint.'
            : '',
          silent.length > 0
            ? 'Silence means that packets are dropped on the way: a NetworkPolicy, a firewall, a dead node.'
            : '',
        ]
          .filter(Boolean)
          .join(' '),
        advice:
          stale ??
          (isByPort
            ? 'First mend what blocked-ports tells of: these clients get answers on other source ports.'
            : isNodeLocal
              ? 'Look at the pod of NodeLocal DNSCache on the node of these clients: its restarts, its memory limit, its log.'
              : refused.length + servfails >= silent.length
                ? 'Look at the CoreDNS pods and at the endpoints of kube-dns; then at NetworkPolicies that leave out port 53 (UDP and TCP).'
                : 'Look for a NetworkPolicy or firewall rule that leaves out port 53 (UDP and TCP) between these pods and CoreDNS; then at the CoreDNS pods.'),
        snippet: `kubectl -n kube-system get pods -l k8s-app=${isNodeLocal ? 'node-local-dns' : 'kube-dns'} -o wide
kubectl -n kube-system get endpointslices -l kubernetes.io/service-name=kube-dns
kubectl get networkpolicies -A`,
        count: lookups,
        share: this.lookups > 0 ? Math.min(1, lookups / this.lookups) : null,
        clients,
        servers,
        frames,
        confidence: blind ? 'low' : sureFrom(lookups, MIN_LOOKUPS),
      },
    ]
  }

  /** A sentence where forwarders, or clients over TCP, could not even open a connection with one of these servers. */
  private unopened(servers: ReadonlySet<AddressId>): string {
    const vain = this.world.trace.matching.unopened.list.filter(({ server }) => servers.has(server))
    const connections = vain.reduce((n, { refused, silent }) => n + refused + silent, 0)
    if (connections === 0) return ''
    const clients = whoAll(
      this.world,
      vain.map(({ client }) => client),
    )
    return ` ${clients} could not open ${plural(connections, 'TCP connection')} with ${whoAll(
      this.world,
      vain.map(({ server }) => server),
    )}.`
  }

  /** A sentence for each time that one of the servers answered nobody. */
  private times(outages: readonly Outage[]): string {
    const told = outages.slice(0, MOST_TIMES).map(outage => ` ${saidOf(this.world, outage)}.`)
    const more = outages.length - told.length
    return told.join('') + (more > 0 ? ` So it was ${plural(more, 'more time')}.` : '')
  }

  /** A sentence where other clients were answered by the same server while some got silence. */
  private othersWereServed(silent: readonly Dead[]): string {
    const alone = silent.filter(
      d =>
        this.served.list.some(
          a => a.server === d.server && a.client !== d.client && a.first > d.start && a.last < d.lastQuery,
        ) &&
        // Answered itself in the same time, it is not shut out: something is lost now and then.
        !this.served.list.some(a => a.client === d.client && a.last > d.start && a.first < d.lastQuery),
    )
    if (alone.length === 0) return ''
    const clients = new Set(alone.map(d => d.client))
    const others = ` Others were answered while ${whoAll(this.world, clients)} waited in vain`
    const type = largeTypeOf(alone)
    return type === null
      ? `${others}, which speaks for a policy against these pods.`
      : `${others}. Either a policy shuts these pods out, or answers come in fragments, which are dropped on their way: all that they asked for is ${type}, with room for more than ${count(MIN_LARGE)} bytes. "dig +bufsize=${MIN_LARGE} ${type} NAME" in the pod tells: it is answered if fragments are dropped.`
  }

  /** A sentence where somebody who asks an upstream server directly was answered in the same time. */
  private servedDirectly(dead: readonly Dead[], failed: ReadonlySet<AddressId>): string {
    if (dead.length === 0) return ''
    const from = Math.min(...dead.map(d => d.start))
    const to = Math.max(...dead.map(d => d.end))
    const direct = this.served.list.filter(
      a =>
        a.last > from &&
        a.first < to &&
        !failed.has(a.client) &&
        serverRole(this.world, a.server) === 'upstream' &&
        !isClusterDns(this.world, a.client) &&
        clientRole(this.world, a.client) !== 'coredns',
    )
    const answered = direct.reduce((n, a) => n + a.answered, 0)
    if (answered === 0) return ''
    const clients = whoAll(
      this.world,
      direct.map(a => a.client),
    )
    const servers = whoAll(
      this.world,
      direct.map(a => a.server),
    )
    return ` Meanwhile ${clients}, asking ${servers} directly, got ${plural(answered, 'answer')}: the node resolves, pods do not.`
  }
}

/** The type that all of these asked for, if it is one of large answers and fragments are welcome; null without. */
function largeTypeOf(dead: readonly Dead[]): string | null {
  const [{ first }] = dead
  if (first.qtype === A || first.qtype === AAAA) return null
  const isLarge = dead.every(d => d.first.qtype === first.qtype && (d.first.edns & EDNS_SIZE) > MIN_LARGE)
  return isLarge ? typeName(first.qtype) : null
}

/** From the first query to the last one. */
const reachOf = (dead: readonly Dead[]): Time =>
  Math.max(...dead.map(d => d.lastQuery)) - Math.min(...dead.map(d => d.start))
