/** dig-without-search: a tool that does not search says "no such name" for one that applications resolve. */
import type { AddressId } from '../model.ts'
import { listed, plural } from '../quantities.ts'
import type { Lookup } from '../trace/lookup.ts'
import { Tally } from '../trace/tally.ts'
import { FrameSample } from './frame-sample.ts'
import type { Draft, Observer, Rule } from './rule.ts'
import { type World, zoneOf } from './world.ts'

export const digWithoutSearch: Rule = {
  code: 'dig-without-search',
  severity: 'info',
  title: 'dig was asked without +search and says less than applications see',
  means:
    'Somebody looked for a short name with dig and got "no such name" (NXDOMAIN), while applications resolve the same name through their search domains. The test misleads: the name works.',
  why: 'dig asks for the name as it is written unless +search is given. getaddrinfo of applications, getent, ping and nslookup walk the search list.',
  todo: 'Test with "dig +search NAME", or with "getent ahosts NAME", which asks as the application does.',
  evidence:
    'A lookup that has the marks of dig asked for one name only and got NXDOMAIN; another lookup of the same capture asked for the same name and a search domain answered it.',
  links: [
    'https://bind9.readthedocs.io/en/latest/manpages.html#dig-dns-lookup-utility',
    'https://kubernetes.io/docs/tasks/administer-cluster/dns-debugging-resolution/',
  ],
  shownBy: ['test/findings/dig-without-search.txt', 'recordings 00-search-chain and 03-clients'],
  begin: world => new DigWithoutSearch(world),
}

class DigWithoutSearch implements Observer {
  private readonly world: World
  private readonly denied = new Tally<string, { lookups: number; clients: Set<AddressId>; frames: FrameSample }>(
    () => ({
      lookups: 0,
      clients: new Set(),
      frames: new FrameSample(),
    }),
  )
  /** Names that a search domain answered. */
  private readonly searched = new Tally<string, { suffix: string }>(() => ({ suffix: '' }))

  constructor(world: World) {
    this.world = world
  }

  lookup(lookup: Lookup): void {
    const suffix = lookup.suffixes[lookup.deciding]
    if (suffix !== null) {
      if (lookup.outcome !== 'answered') return
      this.searched.of(lookup.base).suffix = suffix
    } else if (lookup.resolver === 'dig' && lookup.candidates.length === 1 && lookup.outcome === 'nxdomain') {
      const denied = this.denied.of(lookup.base)
      denied.lookups++
      denied.clients.add(lookup.client)
      denied.frames.add(lookup.candidates[0].transactions[0])
    }
  }

  conclude(): Draft[] {
    if (zoneOf(this.world) === null) return []
    const names = [...this.denied].filter(([name]) => this.searched.has(name))
    if (names.length === 0) return []
    const frames = new FrameSample()
    for (const [, name] of names) frames.addAll(name.frames)
    const lookups = names.reduce((n, [, name]) => n + name.lookups, 0)
    const [first] = names[0]
    return [
      {
        what: `dig without +search got NXDOMAIN ${plural(lookups, 'time')} for ${listed(
          names.map(([name]) => name),
          2,
        )}, which applications resolve as ${first}.${this.searched.get(first)?.suffix}.`,
        why: 'dig asks for the name as it is written; applications walk the search list.',
        advice: `Test with "dig +search ${first}" or "getent ahosts ${first}".`,
        count: lookups,
        share: null,
        clients: new Set(names.flatMap(([, name]) => [...name.clients])),
        servers: [],
        frames,
        confidence: 'high',
      },
    ]
  }
}
