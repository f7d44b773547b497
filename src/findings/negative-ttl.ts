/** negative-ttl: a name that came to exist went on being denied, because caches keep denials. */
import { NXDOMAIN } from '../codes.ts'
import { type AddressId, type NameId, NONE, type Time } from '../model.ts'
import { listed, plural, roughDuration } from '../quantities.ts'
import type { Lookup } from '../trace/lookup.ts'
import { pairOf } from '../trace/pair.ts'
import { Tally } from '../trace/tally.ts'
import { ANSWERED, type Transaction } from '../trace/transaction.ts'
import { type FewAddresses, NOBODY, withAddress } from './few-addresses.ts'
import { FrameSample } from './frame-sample.ts'
import { Rows } from './rows.ts'
import { type Concluded, type Draft, MOST_CLIENTS, type Observer, type Rule } from './rule.ts'
import { nameOf, type World, zoneOf } from './world.ts'

/** Denials that are forgotten sooner hold nobody up; CoreDNS says 5 s for names of the cluster. */
const MIN_TTL = 10
/** From here on people notice when they create something. */
const LONG_TTL = 60
/** One denial before an answer is a start in the wrong order. */
const MIN_DENIED = 3
/** Most names that are denied never come to exist: of so many, at each server, it is remembered. */
const MOST_NAMES = 4_000
const MOST_FRAMES = 3
/** Servers behind the one that denies. */
const MOST_DENIERS = 64

export const negativeTtl: Rule = {
  code: 'negative-ttl',
  severity: 'warning',
  title: 'A new name is denied for as long as caches keep the denial',
  means:
    'A name was asked for before it existed. The denial went into a cache, and clients went on getting NXDOMAIN from there, perhaps long after the name was created. The service is up, and nobody finds it.',
  why: 'How long a denial may be kept says the zone\'s SOA record (the smaller of its TTL and its minimum, RFC 2308). CoreDNS keeps it for 30 s with "cache 30", for up to 30 min without a limit, and an upstream that hands a long one on makes it worse. Clients that poll for a name that will come keep the denial alive.',
  todo: 'Limit denials in the cache ("denial 9984 5"), lower the minimum in the SOA of zones that change often (external-dns, private zones), and let applications wait for the object, not for its name.',
  evidence: `A name that a server denied lookups at least ${MIN_DENIED} times, at least once with a TTL that had run down (so from a cache), then answered and never denied again, not from another upstream server than the one that denied it, and by no server before. Silent where denials live less than ${MIN_TTL} s; info below ${LONG_TTL} s. When exactly the name was created the wire cannot tell. Names of upstreams-disagree and flapping-rcode are left out.`,
  links: [
    'https://datatracker.ietf.org/doc/html/rfc2308',
    'https://coredns.io/plugins/cache/',
    'https://github.com/coredns/coredns/issues/3586',
  ],
  shownBy: ['test/findings/negative-ttl.txt'],
  begin: world => new NegativeTtl(world),
}

/** Of a name at a server. Lookups are told in order of their end, so what was first is told by the times. */
interface Denied {
  name: NameId
  server: AddressId
  denials: number
  first: Time
  last: Time
  /** Seconds: as the zone gave it, and the least that a cache had left of it. */
  ttl: number
  least: number
  /** The first time. */
  answered: Time
  /** Servers behind the one that denied it, and whether another one of them answered: then they disagree, and nothing is new. */
  deniers: FewAddresses
  elsewhere: boolean
  clients: FewAddresses
  frames: FrameSample
}

class NegativeTtl implements Observer {
  private readonly world: World
  /** By name and server. */
  private readonly names = new Tally<number, Denied>(
    () => ({
      name: NONE,
      server: NONE,
      denials: 0,
      first: Number.POSITIVE_INFINITY,
      last: 0,
      ttl: 0,
      least: Number.POSITIVE_INFINITY,
      answered: Number.POSITIVE_INFINITY,
      deniers: NOBODY,
      elsewhere: false,
      clients: NOBODY,
      frames: new FrameSample(),
    }),
    MOST_NAMES,
  )

  /** When a name was first answered, by whichever server: what is denied only later is not new. */
  private readonly found = new Rows(1)

  constructor(world: World) {
    this.world = world
  }

  lookup(lookup: Lookup): void {
    if (lookup.outcome === 'answered') {
      const [{ qname, start }] = lookup.candidates[lookup.deciding].transactions
      const row = this.found.of(qname)
      const since = this.found.get(row, 0)
      if (since === 0 || start < since) this.found.set(row, 0, start)
      if (this.names.size > 0) this.noteAnswer(lookup.candidates[lookup.deciding].transactions[0])
      return
    }
    if (lookup.outcome !== 'nxdomain') return
    for (const { transactions } of lookup.candidates) {
      const denial = transactions.find(t => t.state === ANSWERED && t.rcode === NXDOMAIN && t.recordTtl >= 0)
      if (denial) this.noteDenial(denial, lookup.client)
    }
  }

  private noteAnswer(t: Transaction): void {
    const denied = this.names.get(pairOf(t.qname, t.server))
    if (!denied || t.start >= denied.answered) return
    denied.answered = t.start
    denied.elsewhere = denied.deniers.length > 0 && (t.effects?.some(e => !denied.deniers.includes(e.server)) ?? false)
  }

  private noteDenial(t: Transaction, client: AddressId): void {
    const denied = this.names.of(pairOf(t.qname, t.server))
    if (denied.denials === 0) {
      denied.name = t.qname
      denied.server = t.server
    }
    denied.denials++
    denied.first = Math.min(denied.first, t.start)
    denied.last = Math.max(denied.last, t.start)
    denied.ttl = Math.max(denied.ttl, t.recordTtl)
    denied.least = Math.min(denied.least, t.recordTtl)
    denied.clients = withAddress(denied.clients, client, MOST_CLIENTS)
    if (t.effects)
      for (const effect of t.effects) denied.deniers = withAddress(denied.deniers, effect.server, MOST_DENIERS)
    if (denied.denials <= MOST_FRAMES) denied.frames.add(t)
  }

  private wasThere({ name, first }: Denied): boolean {
    const row = this.found.find(name)
    return row !== NONE && this.found.get(row, 0) < first
  }

  conclude(earlier: readonly Concluded[]): Draft[] {
    if (zoneOf(this.world) === null) return []
    const explained = earlier.filter(
      ({ code }) => code === 'upstreams-disagree' || code === 'replicas-disagree' || code === 'flapping-rcode',
    )
    const names = [...this.names.values()].filter(
      d =>
        d.denials >= MIN_DENIED &&
        // Denied again later, it comes and goes.
        d.last < d.answered &&
        // Longer after the last denial than a cache keeps it, it was not the cache that hid the name.
        d.answered - d.last <= d.ttl * 1e9 &&
        !d.elsewhere &&
        !this.wasThere(d) &&
        d.ttl >= MIN_TTL &&
        d.least < d.ttl &&
        !explained.some(finding => finding.names.has(nameOf(this.world, d.name))),
    )
    if (names.length === 0) return []
    names.sort((a, b) => b.ttl - a.ttl)
    const denials = names.reduce((n, d) => n + d.denials, 0)
    const [worst] = names
    const [first, ...others] = new Set(names.map(({ name }) => nameOf(this.world, name)))
    const frames = new FrameSample()
    for (const d of names) frames.addAll(d.frames)
    const more = others.length > 0 ? ` So did ${listed(others, 2)}.` : ''
    return [
      {
        severity: worst.ttl >= LONG_TTL ? 'warning' : 'info',
        what: `${first} was denied ${plural(worst.denials, 'time')} over ${roughDuration((worst.answered - worst.first) / 1e6)} before it was found; a cache may keep such a denial for ${roughDuration(worst.ttl * 1000)}, and did.${more}`,
        why: "The SOA record of the zone and the cache's own limit say how long a denial is kept.",
        advice: 'Limit denials in the cache, and lower the minimum in the SOA of zones that change often.',
        snippet: `# Corefile
cache {
    denial 9984 5
}`,
        count: denials,
        share: null,
        clients: new Set(names.flatMap(({ clients }) => [...clients])),
        servers: new Set(names.map(({ server }) => server)),
        frames,
        confidence: worst.deniers.length > 0 ? 'medium' : 'low',
        names: [first, ...others],
      },
    ]
  }
}
