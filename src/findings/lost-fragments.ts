/** lost-fragments: large answers over UDP arrive in pieces, and not all of them. */
import { type AddressId, EDNS_SIZE, NONE, TCP } from '../model.ts'
import { count, listed, plural } from '../quantities.ts'
import { FRAGMENTED, isTorn } from '../trace/candidate.ts'
import type { Lookup } from '../trace/lookup.ts'
import { Tally } from '../trace/tally.ts'
import { SHORTEST_TIMEOUT } from '../trace/timers.ts'
import { RESPONSE_LOST, type Transaction } from '../trace/transaction.ts'
import { FrameSample } from './frame-sample.ts'
import { type Draft, type Observer, type Rule, sureFrom } from './rule.ts'
import { type World, whoAll } from './world.ts'

/** One fragment may be lost anywhere. */
const MIN_LOOKUPS = 2
const MOST_NAMES = 100

export const lostFragments: Rule = {
  code: 'lost-fragments',
  severity: 'problem',
  title: 'Large answers lose fragments on their way',
  means:
    'An answer over UDP was too large for one packet and left in fragments. Not all of them arrived, so the client has nothing at all, waits for its timer and asks again, with the same result. Only names with large answers (many records, TXT, DNSSEC) fail, always, and for all clients behind the same path.',
  why: 'Firewalls, load balancers, security groups and some overlays drop IP fragments, because only the first one carries ports. The client allowed large answers with EDNS (a UDP size of 4096), and the server believed that the network can carry them.',
  todo: 'Limit the size over UDP to 1232 bytes: "bufsize 1232" in CoreDNS, "max-udp-size"/"edns-udp-size" in the upstream server. What does not fit is then repeated over TCP, which must be allowed. Let fragments pass where you can.',
  evidence: `Responses over UDP of more than ${FRAGMENTED} bytes of which fragments are missing in the capture, or that one capture has and the client's has not, and a client that asked the same question again over UDP after ${SHORTEST_TIMEOUT / 1e9} s or more: it had no answer either. Silent below ${MIN_LOOKUPS} lookups, and where clients were content: then the capture filter ("port 53") lost the fragments, not the network.`,
  links: [
    'https://www.dnsflagday.net/2020/',
    'https://coredns.io/plugins/bufsize/',
    'https://github.com/kubernetes/dns/issues/527',
  ],
  shownBy: ['test/findings/lost-fragments.txt'],
  begin: world => new LostFragments(world),
}

class LostFragments implements Observer {
  private readonly world: World
  private lookups = 0
  private tries = 0
  private edns = 0
  private largest = 0
  private readonly names = new Set<string>()
  private readonly clients = new Tally<AddressId, true>(() => true)
  private readonly servers = new Tally<AddressId, true>(() => true)
  private readonly frames = new FrameSample()

  constructor(world: World) {
    this.world = world
  }

  lookup(lookup: Lookup): void {
    for (const { name, transactions } of lookup.candidates) {
      let lost = 0
      for (const t of transactions) {
        if (!(isTorn(t) || isLost(t)) || !isRepeated(t, transactions)) continue
        lost++
        if (t.edns !== NONE) this.edns = Math.max(this.edns, t.edns & EDNS_SIZE)
        this.largest = Math.max(this.largest, t.responseSize)
        this.servers.of(t.server)
        this.frames.add(t)
      }
      if (lost === 0) continue
      this.lookups++
      this.tries += lost
      if (this.names.size < MOST_NAMES) this.names.add(name)
      this.clients.of(lookup.client)
      return
    }
  }

  conclude(): Draft[] {
    if (this.lookups < MIN_LOOKUPS) return []
    const servers = [...this.servers.keys()]
    return [
      {
        what: `${plural(this.lookups, 'lookup')} of ${listed([...this.names], 2)} were sent answers of up to ${count(this.largest)} bytes by ${whoAll(this.world, servers)} in fragments, not all of which arrived; they asked again, in vain (${plural(this.tries, 'time')}).`,
        why: `Something on the way drops IP fragments${this.edns > 0 ? `; the client allowed answers of ${count(this.edns)} bytes over UDP` : ''}.`,
        advice: 'Limit answers over UDP to 1232 bytes, so that large ones go over TCP, and allow TCP to port 53.',
        snippet: `# Corefile
bufsize 1232`,
        count: this.lookups,
        share: null,
        clients: this.clients.keys(),
        servers,
        frames: this.frames,
        confidence: sureFrom(this.tries, MIN_LOOKUPS),
      },
    ]
  }
}

/** Another capture has the large answer, the client's has not. */
const isLost = (t: Transaction): boolean =>
  t.state === RESPONSE_LOST && t.transport !== TCP && t.responseSize > FRAGMENTED

/** The client had no use for the answer: it asked again when its timer ended. */
function isRepeated(t: Transaction, transactions: readonly Transaction[]): boolean {
  if (t.lastQuery - t.start >= SHORTEST_TIMEOUT) return true
  return transactions.some(
    x => x !== t && x.qtype === t.qtype && x.transport !== TCP && x.start - t.start >= SHORTEST_TIMEOUT,
  )
}
