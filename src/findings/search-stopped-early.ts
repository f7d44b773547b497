/** search-stopped-early: a resolver ended its search at an answer after which others go on and find the name. */
import { A } from '../codes.ts'
import type { AddressId } from '../model.ts'
import { listed, plural } from '../quantities.ts'
import type { Lookup } from '../trace/lookup.ts'
import { isWithin } from '../trace/suffix.ts'
import { Tally } from '../trace/tally.ts'
import { FrameSample } from './frame-sample.ts'
import type { Concluded, Draft, Observer, Rule } from './rule.ts'
import { type World, whoAll, zoneOf } from './world.ts'

/** One lookup may have been given up by its application. */
const MIN_LOOKUPS = 2

export const searchStoppedEarly: Rule = {
  code: 'search-stopped-early',
  severity: 'warning',
  title: 'A search ended early at a name without an address, or at a server failure',
  means:
    'Some clients do not find a name that others in the same cluster find: their resolver ends the search when one of the search domains has the name but no address for it (NODATA), or answers SERVFAIL, and never asks for the candidate that would have been answered.',
  why: 'musl (Alpine) takes NODATA for a final answer and gives up on SERVFAIL; glibc and Go go on to the next candidate in most of these cases. A search domain whose servers fail, or a zone that holds the name with other record types only, then hides every name behind it in the list.',
  todo: 'Take the search domain that fails or half knows the name out of the list, or repair its zone. For the workload: write the name in full with a dot at its end, or set ndots so small that the name itself is asked first.',
  evidence: `Lookups whose last candidate came from a search domain and got NODATA or SERVFAIL for A, of names that other lookups of the same capture got an address for. Silent below ${MIN_LOOKUPS} lookups.`,
  links: [
    'https://wiki.musl-libc.org/functional-differences-from-glibc.html#Name-Resolver/DNS',
    'https://github.com/gliderlabs/docker-alpine/issues/8',
    'https://github.com/k3s-io/k3s/issues/6132',
  ],
  shownBy: ['test/findings/search-stopped-early.txt'],
  begin: world => new SearchStoppedEarly(world),
}

interface Stopped {
  lookups: number
  failed: number
  suffix: string
  clients: Set<AddressId>
  servers: Set<AddressId>
  resolvers: Set<string>
  frames: FrameSample
}

class SearchStoppedEarly implements Observer {
  private readonly world: World
  private readonly names = new Tally<string, Stopped>(() => ({
    lookups: 0,
    failed: 0,
    suffix: '',
    clients: new Set(),
    servers: new Set(),
    resolvers: new Set(),
    frames: new FrameSample(),
  }))

  constructor(world: World) {
    this.world = world
  }

  lookup(lookup: Lookup): void {
    if (lookup.outcome !== 'nodata' && lookup.outcome !== 'servfail') return
    const { deciding, candidates, suffixes } = lookup
    const suffix = suffixes[deciding]
    if (suffix === null || !lookup.certain || deciding !== candidates.length - 1) return
    // Who asks for IPv6 alone, or for TXT, has his answer where there is none.
    const t = candidates[deciding].transactions.find(t => t.qtype === A)
    if (!t) return
    const name = this.names.of(lookup.base)
    name.lookups++
    if (lookup.outcome === 'servfail') name.failed++
    name.suffix = suffix
    name.clients.add(lookup.client)
    name.servers.add(t.server)
    if (lookup.resolver !== null) name.resolvers.add(lookup.resolver)
    name.frames.add(t)
  }

  conclude(earlier: readonly Concluded[]): Draft[] {
    const zone = zoneOf(this.world)
    if (zone === null) return []
    const isOwn = (suffix: string): boolean => isWithin(suffix, zone)
    const { byName } = this.world.trace.sums
    // Whose every answer may be an error, whatever it is asked for, that search domain is not to blame for.
    const failing = new Set(
      earlier.flatMap(({ code, servers, names }) => (code === 'server-errors' && names.size === 0 ? [...servers] : [])),
    )
    // Nor a domain of the cluster itself: there CoreDNS fails.
    const failingAtOwn = new Set(
      earlier.flatMap(({ code, servers, names }) => (code === 'server-errors' && names.has(zone) ? [...servers] : [])),
    )
    const isServers = ({ lookups, failed, servers, suffix }: Stopped): boolean =>
      failed === lookups &&
      [...servers].every(server => failing.has(server) || (isOwn(suffix) && failingAtOwn.has(server)))
    const names = [...this.names].filter(([name, s]) => (byName.get(name)?.answered ?? 0) > 0 && !isServers(s))
    const lookups = names.reduce((n, [, s]) => n + s.lookups, 0)
    if (lookups < MIN_LOOKUPS) return []
    const failed = names.reduce((n, [, s]) => n + s.failed, 0)
    const clients = new Set(names.flatMap(([, s]) => [...s.clients]))
    const resolvers = new Set(names.flatMap(([, s]) => [...s.resolvers]))
    const frames = new FrameSample()
    for (const [, s] of names) frames.addAll(s.frames)
    const what =
      failed === lookups ? 'SERVFAIL' : failed === 0 ? 'an answer without an address' : 'no address or SERVFAIL'
    const suffixes = [...new Set(names.map(([, s]) => s.suffix))]
    const foreign = suffixes.filter(suffix => !isOwn(suffix))
    const by = resolvers.size > 0 ? ` (${listed([...resolvers], 2)})` : ''
    return [
      {
        what: `${plural(lookups, 'lookup')} of ${listed(
          names.map(([name]) => name),
          2,
        )} by ${whoAll(this.world, clients)}${by} ended at the search domain ${listed(suffixes, 2)} with ${what}; others found the name.`,
        why: 'musl ends its search at NODATA and at SERVFAIL, where glibc and Go go on.',
        advice:
          foreign.length === 0
            ? `${failed > 0 ? 'Look why CoreDNS answers names of the cluster with SERVFAIL; its search domains belong into every resolv.conf. ' : ''}Write the name with a dot at its end.`
            : `Repair or remove ${foreign.length === suffixes.length ? 'that search domain' : listed(foreign, 2)}, or write the name with a dot at its end.`,
        snippet: `dig ${names[0][0]}.${names[0][1].suffix}. A   # NOERROR without an answer, or SERVFAIL`,
        count: lookups,
        share: null,
        clients,
        servers: new Set(names.flatMap(([, s]) => [...s.servers])),
        frames,
        confidence: 'medium',
        names: names.map(([name]) => name),
      },
    ]
  }
}
