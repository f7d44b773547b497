/** flapping-rcode: a name exists, does not exist, exists again, while its answer should still be valid. */

import { A, AAAA, NOERROR, NXDOMAIN } from '../codes.ts'
import { type AddressId, NONE, type Time } from '../model.ts'
import { listed, plural } from '../quantities.ts'
import type { Hop } from '../trace/hop.ts'
import { hasAnswer } from '../trace/outcome.ts'
import { addressIn, idIn, pairOf } from '../trace/pair.ts'
import { ANSWERED, type Transaction } from '../trace/transaction.ts'
import { FrameSample } from './frame-sample.ts'
import { Rows } from './rows.ts'
import type { Concluded, Draft, Observer, Rule } from './rule.ts'
import { nameOf, type World, whoAll } from './world.ts'

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

/** The column of the rows: end of the latest answer's life. */
const VALID_UNTIL = 0

/** A denial within the life of an answer, while no further answer has come. */
interface Denial {
  end: Time
  client: AddressId
  frames: FrameSample
}

/** A name that came and went. */
interface Flips {
  count: number
  clients: Set<AddressId>
  frames: FrameSample
}

class FlappingRcode implements Observer {
  private readonly world: World
  /** By name, type and server, from the first answer with data on: most names are only ever denied. */
  private readonly answered = new Rows(1, key => this.forget(key))
  /** By the same keys. */
  private readonly denials = new Map<number, Denial>()
  private readonly flips = new Map<number, Flips>()

  constructor(world: World) {
    this.world = world
  }

  hop({ transaction: t, lookup }: Hop): void {
    if (!lookup || t.state !== ANSWERED || t.qname === NONE) return
    if (t.qtype !== A && t.qtype !== AAAA) return
    const { answered, denials } = this
    const key = pairOf(t.qname * 2 + (t.qtype === A ? 0 : 1), t.server)
    if (t.rcode === NXDOMAIN) {
      const row = answered.find(key)
      if (row !== NONE && t.end < answered.get(row, VALID_UNTIL) && !denials.has(key)) this.noteDenial(key, t)
      return
    }
    if (t.rcode !== NOERROR || !hasAnswer(t)) return
    const row = answered.of(key)
    if (denials.size > 0) this.noteFlip(key, t.end)
    const until = t.end + t.recordTtl * 1e9
    if (t.recordTtl > 0 && until > answered.get(row, VALID_UNTIL)) answered.set(row, VALID_UNTIL, until)
  }

  private forget(key: number): void {
    this.denials.delete(key)
    this.flips.delete(key)
  }

  private noteDenial(key: number, t: Transaction): void {
    const frames = new FrameSample()
    frames.add(t)
    this.denials.set(key, { end: t.end, client: t.client, frames })
  }

  private noteFlip(key: number, end: Time): void {
    const denial = this.denials.get(key)
    if (!denial || denial.end >= end) return
    this.denials.delete(key)
    let flips = this.flips.get(key)
    if (!flips) {
      flips = { count: 0, clients: new Set(), frames: new FrameSample() }
      this.flips.set(key, flips)
    }
    flips.count++
    flips.clients.add(denial.client)
    flips.frames.addAll(denial.frames)
  }

  conclude(earlier: readonly Concluded[]): Draft[] {
    const explained = earlier.filter(({ code }) => code === 'upstreams-disagree')
    const flapping = [...this.flips].flatMap(([key, flips]) => {
      const name = nameOf(this.world, Math.floor(idIn(key) / 2))
      const isMeant = flips.count >= MIN_FLIPS && !explained.some(({ names }) => names.has(name))
      return isMeant ? [{ key, row: this.answered.find(key), name, flips }] : []
    })
    if (flapping.length === 0) return []
    flapping.sort((a, b) => a.row - b.row)
    const names = [...new Set(flapping.map(({ name }) => name))]
    const flips = flapping.reduce((n, { flips }) => n + flips.count, 0)
    const servers = new Set(flapping.map(({ key }) => addressIn(key)))
    const frames = new FrameSample()
    for (const { flips } of flapping) frames.addAll(flips.frames)
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
        clients: new Set(flapping.flatMap(({ flips }) => [...flips.clients])),
        servers,
        frames,
        confidence: 'medium',
        names,
      },
    ]
  }
}
