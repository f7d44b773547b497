/** truncation-without-tcp: an answer was too large for UDP and nobody asked again over TCP. */
import { TC } from '../codes.ts'
import { type AddressId, CONTENT_CUT } from '../model.ts'
import { count, listed, plural } from '../quantities.ts'
import { isCutShort } from '../trace/cut-short.ts'
import type { Lookup } from '../trace/lookup.ts'
import { hasAnswer } from '../trace/outcome.ts'
import { Tally } from '../trace/tally.ts'
import { FrameSample } from './frame-sample.ts'
import type { Draft, Observer, Rule } from './rule.ts'
import type { World } from './world.ts'

/** A client may give up once for reasons of its own. */
const MIN_LOOKUPS = 2

/** A snap length that cuts messages hides the answers over TCP. */
const MAX_CUT = 0.01

export const truncationWithoutTcp: Rule = {
  code: 'truncation-without-tcp',
  severity: 'warning',
  title: 'Answers that do not fit into UDP are not fetched over TCP',
  means:
    'The server marked its answer as cut (TC), which asks the client to repeat the question over TCP. It did not, so it works with part of the answer or with none. Where the same client gets cut answers without any data the name does not resolve for it.',
  why: 'musl before 1.2.4 cannot do DNS over TCP. Others can, but TCP to port 53 is blocked by a NetworkPolicy or firewall that allows UDP only, or the application is a minimal resolver of its own.',
  todo: 'Allow TCP as well as UDP on port 53 everywhere. Update musl (Alpine 3.18 has 1.2.4). Fewer records in the answer, or a larger EDNS size between the servers, avoid the cut.',
  evidence: `UDP responses with the TC bit for a lookup in which the same question was never asked over TCP. Silent below ${MIN_LOOKUPS} such lookups of one client, where the snap length cut messages, and where nothing of DNS over TCP was captured, unless musl asked. Who tried in vain to open a TCP connection is left to tcp-only-failure.`,
  links: [
    'https://datatracker.ietf.org/doc/html/rfc7766',
    'https://musl.libc.org/releases.html',
    'https://coredns.io/plugins/bufsize/',
  ],
  shownBy: ['test/findings/truncation-without-tcp.txt', 'recording 07-truncation-tcp-fragments'],
  begin: world => new TruncationWithoutTcp(world),
}

class TruncationWithoutTcp implements Observer {
  private readonly clients = new Tally<
    AddressId,
    { lookups: number; empty: number; names: Set<string>; servers: Set<AddressId>; musl: number; frames: FrameSample }
  >(() => ({ lookups: 0, empty: 0, names: new Set(), servers: new Set(), musl: 0, frames: new FrameSample() }))

  private transactions = 0
  private cut = 0
  private readonly world: World

  constructor(world: World) {
    this.world = world
  }

  lookup(lookup: Lookup): void {
    for (const { name, transactions } of lookup.candidates) {
      let truncated = false
      for (const t of transactions) {
        this.transactions++
        if (t.content & CONTENT_CUT) this.cut++
        if (t.responseFlags & TC) truncated = true
      }
      const cut = truncated ? transactions.find(t => isCutShort(t, transactions)) : undefined
      if (!cut) continue
      const client = this.clients.of(lookup.client)
      client.lookups++
      if (!hasAnswer(cut)) client.empty++
      if (lookup.resolver === 'musl') client.musl++
      if (client.names.size < 100) client.names.add(name)
      client.servers.add(cut.server)
      client.frames.add(cut)
      return
    }
  }

  conclude(): Draft[] {
    if (this.cut > MAX_CUT * this.transactions) return []
    // Most likely the capture's filter left TCP out; of musl it is expected.
    const { matching } = this.world.trace
    const withoutTcp = matching.counts.overTcp === 0
    // Who tried to open a connection can do TCP: tcp-only-failure tells of that.
    const tried = new Set(matching.unopened.list.map(({ client }) => client))
    const clients = [...this.clients].filter(
      ([client, c]) => c.lookups >= MIN_LOOKUPS && !tried.has(client) && (c.musl > 0 || !withoutTcp),
    )
    if (clients.length === 0) return []
    const sum = (value: (client: (typeof clients)[number][1]) => number): number =>
      clients.reduce((n, [, client]) => n + value(client), 0)
    const lookups = sum(c => c.lookups)
    const empty = sum(c => c.empty)
    const musl = sum(c => c.musl) > 0
    const frames = new FrameSample()
    for (const [, client] of clients) frames.addAll(client.frames)
    const names = [...new Set(clients.flatMap(([, client]) => [...client.names]))]
    return [
      {
        what: `${plural(lookups, 'lookup')} of ${listed(names, 2)} got an answer cut for UDP (TC) and ${lookups === 1 ? 'was' : 'were'} not repeated over TCP${empty > 0 ? `; ${count(empty)} of these answers held nothing` : ''}.`,
        why: musl
          ? `musl before 1.2.4 knows no DNS over TCP.${withoutTcp ? ' The capture holds no DNS over TCP at all, so it may as well be that its filter left that out.' : ''}`
          : 'The client cannot do DNS over TCP, or TCP to port 53 is blocked.',
        advice: musl
          ? 'Update the image to musl 1.2.4 or later (Alpine 3.18), or keep the answer small.'
          : 'Allow TCP to port 53 from these clients; check with the command below.',
        snippet: `kubectl exec -n NAMESPACE POD -- dig +tcp ${names[0]}`,
        count: lookups,
        share: null,
        clients: clients.map(([client]) => client),
        servers: new Set(clients.flatMap(([, client]) => [...client.servers])),
        frames,
        confidence: lookups >= 3 * MIN_LOOKUPS && !withoutTcp ? 'high' : 'medium',
        names,
      },
    ]
  }
}
