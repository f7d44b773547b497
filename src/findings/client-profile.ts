/** client-profile: a client sends every query to all its nameservers at once. */
import type { AddressId } from '../model.ts'
import { count, plural, share } from '../quantities.ts'
import { type Lookup, transactionsOf } from '../trace/lookup.ts'
import { Tally } from '../trace/tally.ts'
import type { LookupWasteSums } from '../trace/waste.ts'
import { FrameSample } from './frame-sample.ts'
import type { Draft, Observer, Rule } from './rule.ts'
import { type World, whoAll } from './world.ts'

/** A handful of copies costs nothing. */
const MIN_COPIES = 10

export const clientProfile: Rule = {
  code: 'client-profile',
  severity: 'info',
  title: 'A client asks all its nameservers at once',
  means:
    'Each query of this client leaves once for every nameserver of its resolv.conf, at the same moment; the first answer wins. The load doubles or triples, and where the servers know different names the quicker one decides, whichever it is.',
  why: 'musl (Alpine) asks all nameservers in parallel and takes the first answer; glibc and Go ask them one after the other. Two nameservers of one cluster, such as the IPv4 and the IPv6 address of kube-dns, or NodeLocal DNSCache beside kube-dns, are enough.',
  todo: 'Give such pods one nameserver (the address of kube-dns, or of the node-local cache). Never mix servers that know different names: musl does not ask the second one because the first one said NXDOMAIN.',
  evidence: `The same question with the same id from one client to several servers within 5 ms, at least ${MIN_COPIES} times.`,
  links: [
    'https://wiki.musl-libc.org/functional-differences-from-glibc.html#Name-Resolver/DNS',
    'https://git.musl-libc.org/cgit/musl/tree/src/network/res_msend.c',
  ],
  shownBy: ['test/findings/client-profile.txt', 'recording 08-dualstack-ipv6'],
  begin: world => new ClientProfile(world),
}

class ClientProfile implements Observer {
  private readonly world: World
  private readonly clients = new Tally<
    AddressId,
    { copies: number; queries: number; servers: Set<AddressId> | null; frames: FrameSample }
  >(() => ({ copies: 0, queries: 0, servers: null, frames: new FrameSample() }))

  constructor(world: World) {
    this.world = world
  }

  lookup(lookup: Lookup, waste: LookupWasteSums): void {
    const client = this.clients.of(lookup.client)
    client.queries += waste.queries
    if (waste.kinds.fanOut === 0) return
    client.copies += waste.kinds.fanOut
    client.servers ??= new Set()
    for (const t of transactionsOf(lookup)) {
      client.servers.add(t.asked)
      if (t.waste === 'fanOut') client.frames.add(t)
    }
  }

  conclude(): Draft[] {
    const clients = [...this.clients]
      .filter(([, c]) => c.copies >= MIN_COPIES)
      .sort((a, b) => b[1].copies - a[1].copies)
    if (clients.length === 0) return []
    const copies = clients.reduce((n, [, c]) => n + c.copies, 0)
    const queries = clients.reduce((n, [, c]) => n + c.queries, 0)
    const servers = new Set(clients.flatMap(([, c]) => [...(c.servers ?? [])]))
    const frames = new FrameSample()
    for (const [, c] of clients) frames.addAll(c.frames)
    return [
      {
        what: `${whoAll(
          this.world,
          clients.map(([client]) => client),
        )} asked ${whoAll(this.world, servers)} at the same time: ${count(copies)} of ${plural(queries, 'query', 'queries')} (${share(copies, queries)}) were copies.`,
        why: 'musl asks all nameservers of resolv.conf in parallel and takes the first answer.',
        advice: 'Give these pods a single nameserver; servers that know different names must never stand side by side.',
        count: copies,
        share: copies / queries,
        clients: clients.map(([client]) => client),
        servers,
        frames,
        confidence: 'high',
      },
    ]
  }
}
