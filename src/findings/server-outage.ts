/** server-outage: a server answered nobody for a while, and does otherwise. */
import { type AddressId, NONE, type Time } from '../model.ts'
import { count, plural, roughDuration } from '../quantities.ts'
import { type Lookup, transactionsOf } from '../trace/lookup.ts'
import { rangeOf } from '../trace/networks.ts'
import { type Outage, stoodStill, wasNeverSeen } from '../trace/outages.ts'
import { SHORTEST_TIMEOUT } from '../trace/timers.ts'
import { FrameSample } from './frame-sample.ts'
import { type Concluded, type Draft, type Observer, type Rule, serversOf } from './rule.ts'
import { exactClockTime, serverRole, type World, who, whoAll } from './world.ts'

/** Longer than this people notice. */
const BAD: Time = 2e9
/** Told one by one. */
const MOST_TOLD = 3
/** Lookups that waited or failed, which are remembered until it is known why. */
const MOST_LOOKUPS = 5000

export const serverOutage: Rule = {
  code: 'server-outage',
  severity: 'problem',
  title: 'A DNS server answered nobody for a while',
  means:
    'For a while, or all the time, every query to a server got nothing, from whomever it came, and otherwise it answers, or others do. Applications that asked meanwhile waited for their resolver to ask again (5 s in glibc and Go, 2.5 s in musl), or failed: one second without a server costs lookups five.',
  why: 'Its pod was restarted, replaced or killed (OOMKilled, a rollout, an upgrade of NodeLocal DNSCache), the process hung (CPU throttling), or nothing came through to it, or to some pods: a NetworkPolicy, the node, the network, rules of kube-proxy that still send to a pod that is gone. "Unreachable" (ICMP) says that no process listened, or that the service had no endpoint.',
  todo: 'Compare the times with restarts, rollouts and events of its pod and node. CoreDNS: at least two replicas, a PodDisruptionBudget, and `health { lameduck 5s }`, so that it answers until nobody sends to it any more. NodeLocal DNSCache has one pod a node: roll it out slowly, give it memory enough. An upstream: a second one behind `forward`.',
  evidence:
    'A server that never answers, while others answer the same questions. Or all queries to one server, by when they were sent, those that were sent again included: at least 6 in a row without an answer, over at least 0.5 s, of two clients or more (20 of one, unless three met an error), between or beside answered ones; and too many in a row to be chance at the rate at which that server leaves out others. Silent where what was asked for was never answered, by nobody: then it is these names. An answer about a service of the cluster that took 0.5 s and more counts as none: then the server stood still. Where all who got nothing had got nothing before, when others were answered, and never did again, it is told of these clients and not of the server. What the capture alone lost does not count. Silent where coredns-unreachable tells of the same server, and tells the times there.',
  links: [
    'https://coredns.io/plugins/health/',
    'https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/',
    'https://kubernetes.io/docs/tasks/run-application/configure-pdb/',
  ],
  shownBy: ['test/findings/server-outage.txt', 'recording 08-dualstack-ipv6'],
  begin: world => new ServerOutage(world),
}

/** A lookup that waited or failed. */
interface Suffered {
  wait: Time
  failed: boolean
  tries: readonly { server: AddressId; start: Time }[]
}

class ServerOutage implements Observer {
  private readonly world: World
  private readonly suffered: Suffered[] = []

  constructor(world: World) {
    this.world = world
  }

  lookup(lookup: Lookup): void {
    const failed = lookup.outcome === 'unanswered' || lookup.outcome === 'refused' || lookup.outcome === 'servfail'
    if (!failed && !(lookup.wait >= SHORTEST_TIMEOUT)) return
    if (this.suffered.length >= MOST_LOOKUPS) return
    const wait = Number.isNaN(lookup.wait) ? 0 : lookup.wait
    const tries = transactionsOf(lookup).map(({ server, start }) => ({ server, start }))
    this.suffered.push({ wait, failed, tries })
  }

  conclude(earlier: readonly Concluded[]): Draft[] {
    const told = serversOf(earlier, 'coredns-unreachable')
    const outages = this.world.trace.outages.conclude().filter(({ server }) => !told.has(server))
    if (outages.length === 0) return []
    const servers = new Set(outages.map(({ server }) => server))
    const clients = new Set(outages.flatMap(outage => [...outage.clients]))
    const refused = outages.some(outage => outage.refused > 0)
    const frames = new FrameSample()
    for (const outage of outages) frames.addFrames(outage.frames)
    const queries = outages.reduce((n, outage) => n + outage.queries, 0)
    return [
      {
        severity: outages.some(outage => lengthOf(outage) >= BAD) ? 'problem' : 'warning',
        what: `${this.timesOf(outages)}${this.cost(outages)}`,
        why: this.why(outages, refused),
        advice: this.advice(outages, servers),
        snippet: `kubectl -n kube-system get endpointslices -l kubernetes.io/service-name=kube-dns
kubectl -n kube-system get pods -o wide | grep -E 'coredns|node-local-dns'   # RESTARTS, AGE
kubectl -n kube-system get events --sort-by=.lastTimestamp | tail -30`,
        count: queries,
        share: null,
        clients,
        servers,
        frames,
        confidence: refused || queries >= 20 ? 'high' : 'medium',
      },
    ]
  }

  private timesOf(outages: readonly Outage[]): string {
    const first = outages.slice(0, MOST_TOLD).map(outage => {
      const { queries, refused, held, clients } = outage
      const whose = clients.size > 1 ? ` of ${plural(clients.size, 'client')}` : ''
      const of = (n: number): string => `${plural(n, 'query', 'queries')}${whose}`
      if (held === queries) return `${saidOf(this.world, outage)}: ${of(queries)} had to wait until it was over.`
      const silent = queries - held
      const met = refused > 0 ? `, ${refused === silent ? 'all' : count(refused)} of them with "unreachable"` : ''
      const late = held > 0 ? `; ${count(held)} more were answered when it was over` : ''
      return `${saidOf(this.world, outage)}: ${of(silent)} got nothing${met}${late}.`
    })
    const more = outages.length - first.length
    if (more > 0) first.push(`It happened ${plural(more, 'more time')}.`)
    return first.join(' ')
  }

  /** A sentence on the lookups that it held up. */
  private cost(outages: readonly Outage[]): string {
    const hit = this.suffered.filter(({ tries }) => tries.some(t => isDuring(outages, t.server, t.start)))
    const waited = hit.filter(({ failed }) => !failed)
    const failed = hit.length - waited.length
    const longest = waited.reduce((most, { wait }) => Math.max(most, wait), 0)
    const servers = new Set(outages.map(({ server }) => server))
    const parts = [
      waited.length > 0
        ? `${plural(waited.length, 'lookup')} waited for ${servers.size > 1 ? 'them' : 'it'}, up to ${roughDuration(longest / 1e6)}`
        : '',
      failed > 0 ? `${waited.length > 0 ? count(failed) : plural(failed, 'lookup')} failed` : '',
    ].filter(Boolean)
    return parts.length > 0 ? ` ${parts.join(', ')}.` : ''
  }

  private why(outages: readonly Outage[], refused: boolean): string {
    const together = outages.filter(a =>
      outages.some(b => a.server !== b.server && a.first < b.last && b.first < a.last),
    )
    if (outages.every(({ ofClients }) => ofClients))
      return 'Others were answered when these had begun to get nothing: that speaks for a policy against these pods, or for their node.'
    if (outages.every(wasNeverSeen))
      return 'The resolvers wait for it before they ask the next nameserver, at each candidate anew: it is gone, or nothing comes through to it.'
    if (outages.every(stoodStill))
      return 'It stood still, and answered all that had come when it went on: its CPU limit was used up (throttling), the node was too busy, or it was stopped.'
    if (together.length > 1)
      return `${whoAll(
        this.world,
        together.map(({ server }) => server),
        3,
      )} were silent at the same time: rather the network or the node between than the servers.`
    return refused
      ? '"Unreachable" means that its process was gone, or the service without an endpoint: a restart, a rollout, a crash.'
      : 'Its pod was replaced or hung, or nothing came through to it: from silence alone nobody can tell.'
  }

  private advice(outages: readonly Outage[], servers: ReadonlySet<AddressId>): string {
    const stale = staleAdvice(this.world, outages)
    if (stale !== null) return stale
    if (outages.every(({ ofClients }) => ofClients))
      return 'Look for a NetworkPolicy or firewall rule of these pods, or of their namespace, that leaves out port 53 (UDP and TCP); then at the node that they are on.'
    if (outages.every(wasNeverSeen))
      return `Take ${whoAll(this.world, servers)} out of the resolv.conf of these clients (nameservers of dnsConfig, or the node's), or bring it back.`
    if (outages.every(stoodStill))
      return 'Look at the CPU limit and the throttling of its pod (container_cpu_cfs_throttled_seconds_total), and at the load of its node at that time.'
    const roles = new Set([...servers].map(server => serverRole(this.world, server)))
    const parts = [
      roles.has('node-local-cache')
        ? 'NodeLocal DNSCache has one pod a node: roll it out slowly, and give it memory enough'
        : '',
      roles.has('coredns') ? 'CoreDNS needs two replicas at least, and "health { lameduck 5s }"' : '',
      roles.has('upstream') ? 'give "forward" a second upstream' : '',
    ].filter(Boolean)
    return `${['Compare with restarts, rollouts and events of that time', ...parts].join('; ')}.`
  }
}

/** When it was over; NaN where that was not captured. */
const endOf = (outage: Outage): Time => (stoodStill(outage) ? outage.released : outage.answeredAfter)

/** From the first query that got nothing until it was over. */
const lengthOf = (outage: Outage): Time => {
  const end = endOf(outage)
  return (Number.isNaN(end) ? outage.last : end) - outage.first
}

/** "10.96.0.10 answered nobody from 18:06:27.312 to 18:06:29.610 UTC (2.3 s)". */
export function saidOf(world: World, outage: Outage): string {
  const { server, clients, first } = outage
  const end = endOf(outage)
  if (outage.ofClients)
    return `${who(world, server)} gave ${whoAll(world, clients)} no answer from ${exactClockTime(world, first)} UTC on, while others were answered`
  const what = clients.size > 1 ? 'answered nobody' : `gave ${whoAll(world, clients)} no answer`
  if (wasNeverSeen(outage)) return `${who(world, server)} never answered, while others answer the same questions`
  const from = `${who(world, server)} ${what} from ${exactClockTime(world, first)}`
  if (Number.isNaN(end)) return `${from} UTC to the end of the capture`
  return `${from} to ${exactClockTime(world, end)} UTC (${roughDuration(lengthOf(outage) / 1e6)})`
}

/** What to do where a service still sends to a pod that is gone; null where it is no pod behind a service. */
export function staleAdvice(world: World, outages: readonly Outage[]): string | null {
  const stale = outages.filter(wasNeverSeen).filter(({ server, service, clients }) => {
    const range = rangeOf(world.tables.addresses.text(server))
    // Nobody has a pod for a nameserver: the translation itself was not captured.
    return service !== NONE || [...clients].some(client => rangeOf(world.tables.addresses.text(client)) === range)
  })
  if (stale.length === 0) return null
  const pods = whoAll(
    world,
    stale.map(({ server }) => server),
  )
  return `The service of the cluster's DNS still sends to ${pods}, where nobody answers: compare its endpoints with the pods that run, and look at kube-proxy and connection tracking on the clients' nodes.`
}

/** Whether a query was sent to a server that answered nobody then. */
export const isDuring = (outages: readonly Outage[], server: AddressId, time: Time): boolean =>
  outages.some(outage => outage.server === server && !outage.ofClients && time >= outage.first && time <= outage.last)
