/** hot-client: one client makes most of the load. */
import type { AddressId, Time } from '../model.ts'
import { count, listed, plural, share } from '../quantities.ts'
import type { Lookup } from '../trace/lookup.ts'
import { Tally } from '../trace/tally.ts'
import type { LookupWasteSums } from '../trace/waste.ts'
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
/** After so many queries the names of a client are counted only while it has this part of all: nobody gets hot with less. */
const ENOUGH_TO_WEIGH = 20_000
const WORTH_COUNTING = MIN_SHARE / 4
/** Entries of the denial cache of CoreDNS: more different missing names push each other out. */
const DENIAL_CACHE = 9984
const MOST_NAMES = DENIAL_CACHE + 1

export const hotClient: Rule = {
  code: 'hot-client',
  severity: 'warning',
  title: 'One client makes most of the queries',
  means:
    'A single client sends more queries than all others together. It fills the caches with its names, and CoreDNS or the cloud resolver may begin to drop queries of everybody.',
  why: 'An application that resolves a name for every request instead of keeping connections or caching answers, a loop that retries at once, a scanner, or a log shipper that looks addresses up.',
  todo: 'Look at what it asks for. Keep connections open, cache answers in the process (Go, Node and Python do not by default), and slow retries down. NodeLocal DNSCache keeps the load on its node.',
  evidence: `At least ${MIN_RATE} queries per second over ${MIN_SECONDS} s or more, and more than ${MIN_SHARE * 100} % of the queries of at least ${MIN_CLIENTS} clients.`,
  links: ['https://coredns.io/plugins/cache/', 'https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/'],
  shownBy: ['test/findings/hot-client.txt'],
  begin: world => new HotClient(world),
}

interface Client {
  queries: number
  first: Time
  last: Time
  /** By name; null while they are not counted. */
  names: Tally<string, { lookups: number }> | null
  /** Some were not counted. */
  isUncounted: boolean
  frames: FrameSample
}

class HotClient implements Observer {
  private readonly world: World
  private queries = 0
  private readonly clients = new Tally<AddressId, Client>(() => ({
    queries: 0,
    first: Number.POSITIVE_INFINITY,
    last: 0,
    names: null,
    isUncounted: false,
    frames: new FrameSample(),
  }))

  constructor(world: World) {
    this.world = world
  }

  lookup(lookup: Lookup, waste: LookupWasteSums): void {
    this.queries += waste.queries
    const client = this.clients.of(lookup.client)
    client.queries += waste.queries
    client.first = Math.min(client.first, lookup.start)
    client.last = Math.max(client.last, lookup.latest)
    this.countName(client, lookup.base)
    client.frames.add(lookup.candidates[0].transactions[0])
  }

  private countName(client: Client, name: string): void {
    if (this.queries >= ENOUGH_TO_WEIGH && client.queries < WORTH_COUNTING * this.queries) {
      client.names = null
      client.isUncounted = true
      return
    }
    client.names ??= new Tally(() => ({ lookups: 0 }), MOST_NAMES)
    client.names.of(name).lookups++
  }

  conclude(): Draft[] {
    if (zoneOf(this.world) === null) return []
    const clients = [...this.clients].filter(([address]) => {
      const role = clientRole(this.world, address)
      // Pods may be masqueraded behind a node, and forwarders ask for others.
      return role === 'pod' || role === 'unknown'
    })
    if (clients.length < MIN_CLIENTS) return []
    return clients
      .filter(([, c]) => {
        const seconds = (c.last - c.first) / 1e9
        return c.queries > MIN_SHARE * this.queries && seconds >= MIN_SECONDS && c.queries >= MIN_RATE * seconds
      })
      .map(([address, c]) => {
        const rate = Math.round(c.queries / ((c.last - c.first) / 1e9))
        const top = [...(c.names ?? [])].sort((a, b) => b[1].lookups - a[1].lookups).map(([name]) => name)
        const names = c.names?.size ?? 0
        const isMore = c.names !== null && c.names.forgotten > 0
        const least = c.isUncounted || isMore ? 'at least ' : ''
        const many = names > DENIAL_CACHE || isMore ? ', more than the denial cache of CoreDNS holds' : ''
        return {
          what: `${who(this.world, address)} sent ${count(c.queries)} of ${plural(this.queries, 'query', 'queries')} (${share(c.queries, this.queries)}), ${count(rate)} per second, for ${least}${plural(names, 'name')}${many} (${listed(top.slice(0, 2), 2)}).`,
          why: 'It resolves for every request, retries in a loop, or scans.',
          advice:
            'Cache answers or keep connections in the application; NodeLocal DNSCache keeps the load on its node.',
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
