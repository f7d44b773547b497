/** flapping-rcode: a name exists, does not exist, exists again, while its answer should still be valid. */
import { A, AAAA, NOERROR, NXDOMAIN } from '../codes.ts'
import { type AddressId, type NameId, NONE, type Time } from '../model.ts'
import { plural } from '../quantities.ts'
import { hasAnswer } from '../trace/outcome.ts'
import type { Hop } from '../trace/trace.ts'
import { ANSWERED, type Transaction } from '../trace/transaction.ts'
import { kept } from '../trace/transactions.ts'
import { FrameSample } from './frame-sample.ts'
import type { Concluded, Draft, Observer, Rule } from './rule.ts'
import { Tally } from './tally.ts'
import { listed, nameOf, type World, whoAll } from './world.ts'

/** A name may be deleted and made again once; twice within the life of its answers is a fault. */
const MIN_FLIPS = 2

export const flappingRcode: Rule = {
  code: 'flapping-rcode',
  severity: 'warning',
  title: 'A name comes and goes',
  means:
    'A server gives an answer for a name, then says that the name does not exist, then answers again, although the first answer was to be valid for longer than that. Lookups fail by chance, and an NXDOMAIN that gets into a cache makes a moment last for half a minute.',
  why: 'Servers behind one address that do not hold the same zone, an upstream that answers NXDOMAIN when it is overloaded or cannot reach its own source, or a record that a controller deletes and creates again and again.',
  todo: 'Ask each server behind the address by itself. Lower the denial TTL of the cache ("denial 9984 5") so that a wrong NXDOMAIN does not stay, and look for the controller that owns the record.',
  evidence: `Answers of one server for one name: with data, then NXDOMAIN within the TTL of that answer, then data again, at least ${MIN_FLIPS} times. Names of the finding upstreams-disagree are left out.`,
  links: ['https://coredns.io/plugins/cache/', 'https://github.com/kubernetes/kubernetes/issues/136171'],
  shownBy: ['test/findings/flapping-rcode.txt'],
  begin: world => new FlappingRcode(world),
}

interface Series {
  name: NameId
  server: AddressId
  /** End of the latest answer's life. */
  validUntil: Time
  denied: Transaction | null
  flips: number
  clients: Set<AddressId>
  frames: FrameSample
}

class FlappingRcode implements Observer {
  private readonly world: World
  private readonly series = new Tally<number, Series>(() => ({
    name: NONE,
    server: NONE,
    validUntil: Number.NEGATIVE_INFINITY,
    denied: null,
    flips: 0,
    clients: new Set(),
    frames: new FrameSample(),
  }))

  /** By name: some server answered it, so that there may be a series. */
  private readonly answered: boolean[] = []

  constructor(world: World) {
    this.world = world
  }

  hop({ transaction: t, lookup }: Hop): void {
    if (!lookup || t.state !== ANSWERED || t.qname === NONE) return
    if (t.qtype !== A && t.qtype !== AAAA) return
    if (t.rcode === NXDOMAIN && !this.answered[t.qname]) return
    const key = (t.qname * 2 + (t.qtype === A ? 0 : 1)) * 0x200000 + t.server
    // Most names are only ever denied; a name is followed from its first answer with data.
    if (t.rcode === NXDOMAIN) {
      const series = this.series.map.get(key)
      if (series && t.end < series.validUntil && !series.denied) {
        series.denied = kept(t)
      }
      return
    }
    if (t.rcode !== NOERROR || !hasAnswer(t)) return
    const series = this.series.of(key)
    if (!series) return
    this.answered[t.qname] = true
    series.name = t.qname
    series.server = t.server
    if (series.denied && series.denied.end < t.end) {
      series.flips++
      series.clients.add(series.denied.client)
      series.frames.add(series.denied)
      series.denied = null
    }
    if (t.recordTtl > 0) series.validUntil = Math.max(series.validUntil, t.end + t.recordTtl * 1e9)
  }

  conclude(earlier: readonly Concluded[]): Draft[] {
    const explained = earlier.filter(({ code }) => code === 'upstreams-disagree')
    const flapping = [...this.series.map.values()].filter(
      s => s.flips >= MIN_FLIPS && !explained.some(({ names }) => names.has(nameOf(this.world, s.name))),
    )
    if (flapping.length === 0) return []
    const names = [...new Set(flapping.map(s => nameOf(this.world, s.name)))]
    const flips = flapping.reduce((n, s) => n + s.flips, 0)
    const servers = new Set(flapping.map(s => s.server))
    const frames = new FrameSample()
    for (const s of flapping) frames.addAll(s.frames)
    return [
      {
        what: `${whoAll(this.world, servers)} denied ${listed(names, 2)} ${plural(flips, 'time')} between answers that were still valid.`,
        why: 'Servers behind it know different things, or an upstream says NXDOMAIN where it should say SERVFAIL.',
        advice:
          'Capture where this server asks its upstream servers, or ask each of them by itself: they may disagree. A low denial TTL in the cache keeps a wrong NXDOMAIN short.',
        snippet: `# Corefile
cache {
    denial 9984 5
}`,
        count: flips,
        share: null,
        clients: new Set(flapping.flatMap(s => [...s.clients])),
        servers,
        frames,
        confidence: 'medium',
        names,
      },
    ]
  }
}
