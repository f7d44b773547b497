/** hot-client: one client makes most of the load. */
import type { AddressId, Time } from '../model.ts'
import { count, listed, plural, share } from '../quantities.ts'
import type { Lookup } from '../trace/lookup.ts'
import { Tally } from '../trace/tally.ts'
import type { LookupWasteSums } from '../trace/waste.ts'
import { Domains, domainOf } from './domains.ts'
import { FrameSample } from './frame-sample.ts'
import type { Draft, Observer, Rule } from './rule.ts'
import { clientRole, type World, who, zoneOf } from './world.ts'

/** Queries per second that a cache notices; one application seldom needs more than a few. */
const MIN_RATE = 50
/** Over less time than this a rate is a burst. */
const MIN_SECONDS = 5
/** A client that asks for more than this part of all is hot, where there are others to compare it with. */
const MIN_SHARE = 0.5
const MIN_CLIENTS = 4
/** One that is alone, as in the capture of one pod, has to send so many per second. */
const MIN_RATE_ALONE = 100
/** After so many queries the names of a client are counted only while it has this part of all: nobody gets hot with less. */
const ENOUGH_TO_WEIGH = 20_000
const WORTH_COUNTING = MIN_SHARE / 4
/** Entries of the denial cache of CoreDNS: more different missing names push each other out. */
const DENIAL_CACHE = 9984
const MOST_NAMES = DENIAL_CACHE + 1
const MOST_DOMAINS = 100
/** Nearly all of a client's names are different, and nearly all are denied: they are made up. */
const NEARLY_ALL = 0.9
/** A name, or a domain, that makes up the load. */
const MOST_OF_IT = 0.5

export const hotClient: Rule = {
  code: 'hot-client',
  severity: 'warning',
  title: 'One client makes most of the queries',
  means:
    'A single client sends more queries than all others together. It fills the caches with its names, and CoreDNS or the cloud resolver may begin to drop queries of everybody.',
  why: 'An application that resolves a name for every request instead of keeping connections or caching answers, a loop that retries at once, a scanner, or a log shipper that looks addresses up. Names that are all different and all denied are made up: by a scanner, by malware, or by an application that puts ids into names.',
  todo: 'Look at what it asks for. Keep connections open, cache answers in the process (Go, Node and Python do not by default), and slow retries down. Against random names no cache helps: find out what makes them. NodeLocal DNSCache keeps the load on its node.',
  evidence: `At least ${MIN_RATE} queries per second over ${MIN_SECONDS} s or more, and more than ${MIN_SHARE * 100} % of the queries of at least ${MIN_CLIENTS} clients. Of a client that is alone in the capture at least ${MIN_RATE_ALONE} queries per second.`,
  links: ['https://coredns.io/plugins/cache/', 'https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/'],
  shownBy: ['test/findings/hot-client.txt'],
  begin: world => new HotClient(world),
}

interface Client {
  queries: number
  lookups: number
  denied: number
  first: Time
  last: Time
  /** By name, as the domains below; null while they are not counted. */
  names: Tally<string, { lookups: number }> | null
  /** Some were not counted. */
  isUncounted: boolean
  domains: Domains | null
  frames: FrameSample
}

class HotClient implements Observer {
  private readonly world: World
  private queries = 0
  private readonly clients = new Tally<AddressId, Client>(() => ({
    queries: 0,
    lookups: 0,
    denied: 0,
    first: Number.POSITIVE_INFINITY,
    last: 0,
    names: null,
    isUncounted: false,
    domains: null,
    frames: new FrameSample(),
  }))

  constructor(world: World) {
    this.world = world
  }

  lookup(lookup: Lookup, waste: LookupWasteSums): void {
    this.queries += waste.queries
    const client = this.clients.of(lookup.client)
    client.queries += waste.queries
    client.lookups++
    if (lookup.outcome === 'nxdomain') client.denied++
    client.first = Math.min(client.first, lookup.start)
    client.last = Math.max(client.last, lookup.latest)
    this.countName(client, lookup.base)
    client.frames.add(lookup.candidates[0].transactions[0])
  }

  private countName(client: Client, name: string): void {
    if (this.queries >= ENOUGH_TO_WEIGH && client.queries < WORTH_COUNTING * this.queries) {
      client.names = client.domains = null
      client.isUncounted = true
      return
    }
    client.names ??= new Tally(() => ({ lookups: 0 }), MOST_NAMES)
    client.names.of(name).lookups++
    client.domains ??= new Domains(MOST_DOMAINS)
    client.domains.addName(name)
  }

  conclude(): Draft[] {
    if (zoneOf(this.world) === null) return []
    const clients = [...this.clients].filter(([address]) => {
      const role = clientRole(this.world, address)
      // Pods may be masqueraded behind a node, and forwarders ask for others.
      return role === 'pod' || role === 'unknown'
    })
    const isAlone = clients.length === 1
    if (!isAlone && clients.length < MIN_CLIENTS) return []
    const minRate = isAlone ? MIN_RATE_ALONE : MIN_RATE
    return clients
      .filter(([, c]) => {
        const seconds = (c.last - c.first) / 1e9
        return c.queries > MIN_SHARE * this.queries && seconds >= MIN_SECONDS && c.queries >= minRate * seconds
      })
      .map(([address, c]) => {
        const rate = Math.round(c.queries / ((c.last - c.first) / 1e9))
        const names = c.names?.size ?? 0
        const isMore = c.names !== null && c.names.forgotten > 0
        const least = c.isUncounted || isMore ? 'at least ' : ''
        const many = names > DENIAL_CACHE || isMore ? ', more than the denial cache of CoreDNS holds' : ''
        const all = isAlone
          ? plural(c.queries, 'query', 'queries')
          : `${count(c.queries)} of ${plural(this.queries, 'query', 'queries')} (${share(c.queries, this.queries)})`
        const isRandom =
          c.denied >= NEARLY_ALL * c.lookups && (isMore || (!c.isUncounted && names >= NEARLY_ALL * c.lookups))
        const random = isRandom ? ` Nearly all of these are different, and denied (${plural(c.denied, 'lookup')}).` : ''
        return {
          what: `${who(this.world, address)} sent ${all}, ${count(rate)} per second, for ${least}${plural(names, 'name')}${many} (${loadOf(c)}).${random}`,
          why: isRandom
            ? 'It asks for random names, which nobody has: a scanner, malware, or ids in names.'
            : 'It resolves for every request, retries in a loop, or scans.',
          advice: isRandom
            ? 'Look at what makes the names in that workload; caching cannot help, as no name comes twice.'
            : 'Cache answers or keep connections in the application; NodeLocal DNSCache keeps the load on its node.',
          count: c.queries,
          share: c.queries / this.queries,
          clients: [address],
          servers: [],
          frames: c.frames,
          confidence: 'high' as const,
        }
      })
  }
}

const NOWHERE = { domain: '', count: 0 }

/** What makes up the load of a client: one name, or a domain, or the names that come most often. */
function loadOf({ names, domains, lookups }: Client): string {
  const byName = [...(names ?? [])].sort((a, b) => b[1].lookups - a[1].lookups)
  const { domain, count: times } = domains?.top ?? NOWHERE
  const below = byName.filter(([name]) => name !== domain && domainOf(name) === domain).length
  if (byName.length > 1 && byName[0][1].lookups >= MOST_OF_IT * lookups) return `mostly ${byName[0][0]}`
  if (below > 1 && times >= MOST_OF_IT * lookups) return `${count(below)} of them in ${domain}`
  return listed(
    byName.slice(0, 2).map(([name]) => name),
    2,
  )
}
