/** proxy-gap: a DNS proxy on the node (Cilium) stands between pods and their server, and holds queries up. */
import { type AddressId, NONE, type Time } from '../model.ts'
import { count, plural, roughDuration, share } from '../quantities.ts'
import type { Hop } from '../trace/hop.ts'
import { Tally } from '../trace/tally.ts'
import { ANSWERED, type Transaction, UNANSWERED } from '../trace/transaction.ts'
import { FrameSample } from './frame-sample.ts'
import { type Draft, type Observer, type Rule, sureFrom } from './rule.ts'
import { isClusterDns, type World, whoAll } from './world.ts'

/** A proxy needs a millisecond or two. */
const SLOW: Time = 50e6
const MIN_SLOW = 5
/** Of a pod's queries nearly all come in twos: two threads that ask for one name do that now and then only. */
const MIN_PAIRED = 0.8
/** Queries that are remembered until their second half passes, by the question. */
const SLOTS = 1024

export const proxyGap: Rule = {
  code: 'proxy-gap',
  severity: 'warning',
  title: "A DNS proxy on the node delays the pods' queries",
  means:
    'Each query of these pods leaves twice: once from the pod, and once more, with another id, from a proxy on the node that asks in its place and hands the answer back. Between the two lies time that belongs to no DNS server, or the second one is answered and the pod gets nothing. In this capture such lookups are counted twice.',
  why: 'A CiliumNetworkPolicy with DNS rules (toFQDNs, rules.dns) sends port 53 through the proxy of the Cilium agent. It checks the name, and before it lets an answer go it waits until the addresses are allowed in the policy map. An agent without CPU, policies with many names, or its limit of concurrent queries make it slow; a restart of the agent is an outage.',
  todo: 'Look at cilium_proxy_upstream_reply_seconds and cilium_proxy_datapath_update_timeout_total of the agent on this node, at its CPU limit, and at dnsproxy-concurrency-limit. Fewer and broader toFQDNs patterns cost less; names of the cluster need no DNS rule at all.',
  evidence: `Pairs of queries of one client for one question, with different ids, the second one sent and answered while the first one waits, which at least ${MIN_PAIRED * 100} % of this client's queries make. The gap is what the first waits longer than the second. Silent below ${MIN_SLOW} gaps of ${SLOW / 1e6} ms or unanswered first queries.`,
  links: [
    'https://docs.cilium.io/en/stable/security/dns/',
    'https://docs.cilium.io/en/stable/security/policy/language/#dns-proxy',
    'https://github.com/cilium/cilium/issues/33144',
  ],
  shownBy: ['test/findings/proxy-gap.txt'],
  begin: world => new ProxyGap(world),
}

interface Client {
  queries: number
  pairs: number
  slow: number
  lost: number
  gaps: Time
  longest: Time
  /** Null while there is none, as with most clients. */
  servers: Set<AddressId> | null
  frames: FrameSample
}

class ProxyGap implements Observer {
  private readonly world: World
  private readonly clients = new Tally<AddressId, Client>(() => ({
    queries: 0,
    pairs: 0,
    slow: 0,
    lost: 0,
    gaps: 0,
    longest: 0,
    servers: null,
    frames: new FrameSample(),
  }))
  // The latest query in each slot.
  private readonly client = new Int32Array(SLOTS).fill(NONE)
  private readonly qname = new Int32Array(SLOTS)
  private readonly qtype = new Int32Array(SLOTS)
  private readonly dnsId = new Int32Array(SLOTS)
  private readonly start = new Float64Array(SLOTS)
  private readonly end = new Float64Array(SLOTS)

  constructor(world: World) {
    this.world = world
  }

  hop({ transaction: t, forwarder, lookup }: Hop): void {
    if (!lookup || forwarder || t.qname === NONE || t.dnsId < 0) return
    const client = this.clients.of(t.client)
    client.queries++
    const slot = (Math.imul(t.qname, 0x9e37_79b1) ^ Math.imul(t.client, 0x85eb_ca6b) ^ t.qtype) >>> 22
    if (this.client[slot] === t.client && this.qname[slot] === t.qname && this.qtype[slot] === t.qtype) {
      if (this.dnsId[slot] !== t.dnsId && this.isPair(slot, t, client)) {
        this.client[slot] = NONE
        return
      }
    }
    this.client[slot] = t.client
    this.qname[slot] = t.qname
    this.qtype[slot] = t.qtype
    this.dnsId[slot] = t.dnsId
    this.start[slot] = t.start
    this.end[slot] = endOf(t)
  }

  /** True if one of the two was sent and answered while the other one waited. */
  private isPair(slot: number, t: Transaction, client: Client): boolean {
    const isInner = this.start[slot] <= t.start
    const outerStart = isInner ? this.start[slot] : t.start
    const outerEnd = isInner ? this.end[slot] : endOf(t)
    const innerStart = isInner ? t.start : this.start[slot]
    const innerEnd = isInner ? endOf(t) : this.end[slot]
    if (!(innerStart < outerEnd && innerEnd <= outerEnd) || innerEnd === Number.POSITIVE_INFINITY) return false
    client.pairs++
    const isLost = outerEnd === Number.POSITIVE_INFINITY
    const gap = isLost ? 0 : innerStart - outerStart + (outerEnd - innerEnd)
    if (isLost) client.lost++
    else if (gap >= SLOW) client.slow++
    else return true
    client.gaps += gap
    client.longest = Math.max(client.longest, gap)
    client.servers ??= new Set()
    client.servers.add(t.server)
    client.frames.add(t)
    return true
  }

  conclude(): Draft[] {
    const clients = [...this.clients].filter(
      ([, c]) => c.slow + c.lost >= MIN_SLOW && 2 * c.pairs >= MIN_PAIRED * c.queries,
    )
    const servers = new Set(
      clients.flatMap(([, c]) => [...(c.servers ?? [])]).filter(server => isClusterDns(this.world, server)),
    )
    if (clients.length === 0 || servers.size === 0) return []
    const sum = (value: (client: Client) => number): number => clients.reduce((n, [, c]) => n + value(c), 0)
    const pairs = sum(c => c.pairs)
    const slow = sum(c => c.slow)
    const lost = sum(c => c.lost)
    const longest = Math.max(...clients.map(([, c]) => c.longest))
    const frames = new FrameSample()
    for (const [, c] of clients) frames.addAll(c.frames)
    const parts = [
      slow > 0
        ? `held ${count(slow)} of them up for ${roughDuration(sum(c => c.gaps) / slow / 1e6)} on average, ${roughDuration(longest / 1e6)} at most`
        : '',
      lost > 0 ? `gave no answer to ${count(lost)} although it had one` : '',
    ].filter(Boolean)
    return [
      {
        what: `A proxy asked in the place of ${whoAll(
          this.world,
          clients.map(([client]) => client),
        )} (${plural(pairs, 'query', 'queries')} with a second one inside) and ${parts.join(', and ')}: ${share(slow + lost, pairs)} of all.`,
        why: "Cilium's agent forwards the queries of pods under a DNS policy itself, and holds answers until its policy map knows their addresses.",
        advice: "Look at the agent's CPU and its proxy metrics on this node; simplify toFQDNs rules.",
        snippet: `kubectl -n kube-system exec ds/cilium -- cilium-dbg metrics list | grep -E 'proxy_(upstream|datapath)'
kubectl get ciliumnetworkpolicies,ciliumclusterwidenetworkpolicies -A -o yaml | grep -B5 -A5 'dns:'`,
        count: slow + lost,
        share: (slow + lost) / pairs,
        clients: clients.map(([client]) => client),
        servers,
        frames,
        confidence: sureFrom(slow + lost, MIN_SLOW),
      },
    ]
  }
}

/** Infinite where the capture had time to show an answer and there was none; NaN where it cannot be known. */
const endOf = (t: Transaction): Time =>
  t.state === ANSWERED ? t.end : t.state === UNANSWERED ? Number.POSITIVE_INFINITY : Number.NaN
