/** search-line-too-long: musl ignores a search line of more than 255 bytes, and then does not search at all. */
import { NXDOMAIN } from '../codes.ts'
import type { AddressId } from '../model.ts'
import { count, listed, plural } from '../quantities.ts'
import type { Lookup } from '../trace/lookup.ts'
import { dots } from '../trace/suffix.ts'
import { Tally } from '../trace/tally.ts'
import { FrameSample } from './frame-sample.ts'
import type { Draft, Observer, Rule } from './rule.ts'
import { type World, whoAll, zoneOf } from './world.ts'

/** musl reads resolv.conf in lines of at most this many bytes, the end of the line included. */
const LONGEST_LINE = 255
/** Short names that were not searched: fewer may have been written with a dot at their end. */
const MIN_LOOKUPS = 3
/** A name with so many dots is asked as it is at once under a small ndots. */
const SHORT = 1
const MOST_NAMES = 100

export const searchLineTooLong: Rule = {
  code: 'search-line-too-long',
  severity: 'warning',
  title: 'musl ignores a search line that is too long',
  means:
    'Pods with musl (Alpine) ask for short names as they are and are told that they do not exist, while pods with glibc next to them find them: the search line of resolv.conf is so long that musl leaves it out altogether. Services cannot be reached by their short names.',
  why: "musl reads resolv.conf in lines of 255 bytes and ignores what is longer. The search line holds the namespace's domain, the two of the cluster and those of the node; a long namespace name or a cloud with several long domains is enough. Kubernetes itself allows 32 domains and 2,048 characters since 1.28.",
  todo: "Shorten the line: take domains that nobody needs out of the node's resolv.conf, or give these pods dnsPolicy None with the domains that they use. Or write service names in full. A base image with glibc does not have the limit.",
  evidence: `A client with the marks of musl asked for at least ${MIN_LOOKUPS} short names (at most ${SHORT} dot) as they are only, was denied them, and never tried a search domain, while others' search domains make a line of ${LONGEST_LINE} bytes or more.`,
  links: [
    'https://git.musl-libc.org/cgit/musl/tree/src/network/resolvconf.c',
    'https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#dns-search-domain-list-limits',
    'https://github.com/k3s-io/k3s/issues/6132',
  ],
  shownBy: ['test/findings/search-line-too-long.txt'],
  begin: world => new SearchLineTooLong(world),
}

interface Client {
  searched: boolean
  lookups: number
  names: Set<string>
  servers: Set<AddressId>
  frames: FrameSample
}

class SearchLineTooLong implements Observer {
  private readonly world: World
  private longest = 0
  private readonly clients = new Tally<AddressId, Client>(() => ({
    searched: false,
    lookups: 0,
    names: new Set(),
    servers: new Set(),
    frames: new FrameSample(),
  }))

  constructor(world: World) {
    this.world = world
  }

  lookup(lookup: Lookup): void {
    if (lookup.candidates.length > 1) {
      let line = 'search'.length + 1
      for (const domain of lookup.searchList) line += domain.length + 1
      if (line > this.longest) this.longest = line
    }
    if (lookup.resolver !== 'musl') return
    const client = this.clients.of(lookup.client)
    if (client.searched) return
    if (lookup.candidates.length > 1 || lookup.suffixes[0] !== null) {
      client.searched = true
      return
    }
    const [t] = lookup.candidates[0].transactions
    if (t.rcode !== NXDOMAIN || dots(lookup.base) > SHORT) return
    client.lookups++
    if (client.names.size < MOST_NAMES) client.names.add(lookup.base)
    client.servers.add(t.asked)
    client.frames.add(t)
  }

  conclude(): Draft[] {
    if (zoneOf(this.world) === null || this.longest <= LONGEST_LINE) return []
    // Among what was forgotten of a client may be a search.
    const whole = [...this.clients].filter(([client]) => this.clients.isWhole(client))
    const clients = whole.filter(([, c]) => !c.searched && c.lookups >= MIN_LOOKUPS)
    if (clients.length === 0) return []
    const lookups = clients.reduce((n, [, c]) => n + c.lookups, 0)
    const names = [...new Set(clients.flatMap(([, c]) => [...c.names]))]
    const frames = new FrameSample()
    for (const [, c] of clients) frames.addAll(c.frames)
    return [
      {
        what: `${whoAll(
          this.world,
          clients.map(([client]) => client),
        )} (musl) asked for ${listed(names, 2)} without any search domain and got NXDOMAIN ${plural(lookups, 'time')}; others' search line has ${count(this.longest)} bytes.`,
        why: `musl ignores lines of resolv.conf with more than ${LONGEST_LINE} bytes.`,
        advice: 'Shorten the search line, or write these names in full.',
        snippet: `kubectl exec -n NAMESPACE POD -- awk '/^search/ { print length($0) }' /etc/resolv.conf`,
        count: lookups,
        share: null,
        clients: clients.map(([client]) => client),
        servers: new Set(clients.flatMap(([, c]) => [...c.servers])),
        frames,
        confidence: 'medium',
        names,
      },
    ]
  }
}
