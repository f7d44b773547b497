/** service-name-without-dot: a full service name is searched, because nothing says that it is full. */

import type { AddressId } from '../model.ts'
import { listed, plural } from '../quantities.ts'
import type { Lookup } from '../trace/lookup.ts'
import { isWithin } from '../trace/suffix.ts'
import { Tally } from '../trace/tally.ts'
import type { LookupWasteSums } from '../trace/waste.ts'
import { FrameSample } from './frame-sample.ts'
import type { Draft, Observer, Rule } from './rule.ts'
import { answeredFirst, type World, zoneOf } from './world.ts'

/** A person who tries a name by hand makes a few. */
const MIN_LOOKUPS = 5

export const serviceNameWithoutDot: Rule = {
  code: 'service-name-without-dot',
  severity: 'warning',
  title: 'Full service names are searched because they do not end with a dot',
  means:
    'An application asks for a service by its full name, such as api.shop.svc.cluster.local, and the resolver still tries it with every search domain behind it first (api.shop.svc.cluster.local.shop.svc.cluster.local). The full name costs more queries than the short one.',
  why: 'A full service name has four dots. Under ndots 5 that is a short name, unless a dot at its end says that it is complete.',
  todo: 'Write the name with a dot at its end (api.shop.svc.cluster.local.), or use the short form that the first or second search domain completes: api within the namespace, api.shop from another one. Some TLS and HTTP clients send the dot in the Host header or SNI; test them, or set ndots 4 or less instead.',
  evidence: `Lookups whose own name lies in the cluster's domain and that asked for candidates with search domains before it. Silent below ${MIN_LOOKUPS} lookups.`,
  links: [
    'https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#namespaces-of-services',
    'https://github.com/kubernetes/kubernetes/issues/125883',
  ],
  shownBy: ['test/findings/service-name-without-dot.txt', 'recordings 03, 10, 12, 14'],
  begin: world => new ServiceNameWithoutDot(world),
}

class ServiceNameWithoutDot implements Observer {
  private readonly world: World
  private readonly names = new Tally<
    string,
    { lookups: number; wasted: number; clients: Set<AddressId>; frames: FrameSample }
  >(() => ({ lookups: 0, wasted: 0, clients: new Set(), frames: new FrameSample() }))

  constructor(world: World) {
    this.world = world
  }

  lookup(lookup: Lookup, waste: LookupWasteSums): void {
    const { base, suffixes, deciding } = lookup
    if (!base.includes('.svc.') || suffixes[deciding] !== null || waste.kinds.search === 0) return
    const name = this.names.of(base)
    name.lookups++
    name.wasted += waste.kinds.search
    name.clients.add(lookup.client)
    name.frames.add(lookup.candidates[0].transactions[0])
  }

  conclude(): Draft[] {
    const zone = zoneOf(this.world)
    if (zone === null) return []
    const names = [...this.names].filter(([name]) => isWithin(name, zone)).sort((a, b) => b[1].wasted - a[1].wasted)
    const lookups = names.reduce((n, [, name]) => n + name.lookups, 0)
    if (lookups < MIN_LOOKUPS) return []
    const wasted = names.reduce((n, [, name]) => n + name.wasted, 0)
    const clients = new Set(names.flatMap(([, name]) => [...name.clients]))
    const frames = new FrameSample()
    for (const [, name] of names) frames.addAll(name.frames)
    const shown = answeredFirst(
      this.world,
      names.map(([name]) => name),
    )
    const [first] = shown
    return [
      {
        what: `${plural(lookups, 'lookup')} of full service names (${listed(shown, 2)}) walked the search list first: ${plural(wasted, 'wasted query', 'wasted queries')}.`,
        why: 'A full service name has four dots, fewer than ndots 5: without a dot at its end it counts as a short one.',
        advice: `Write "${first}." with a dot at its end, or the short form "${first.slice(0, first.indexOf('.svc.'))}".`,
        count: lookups,
        share: null,
        clients,
        servers: [],
        frames,
        confidence: 'high',
        names: shown,
      },
    ]
  }
}
