/** flapping-rcode: a name exists, does not exist, exists again, while its answer should still be valid. */

import { A, AAAA, NOERROR, NXDOMAIN, TC } from '../codes.ts'
import { type AddressId, NONE, type Time } from '../model.ts'
import { listed, plural } from '../quantities.ts'
import type { Hop } from '../trace/hop.ts'
import { hasAnswer } from '../trace/outcome.ts'
import { addressIn, idIn, pairOf } from '../trace/pair.ts'
import { isWithin } from '../trace/suffix.ts'
import { ANSWERED, type Transaction } from '../trace/transaction.ts'
import { FrameSample } from './frame-sample.ts'
import { Rows } from './rows.ts'
import { type Concluded, type Draft, MOST_CLIENTS, type Observer, type Rule, sureFrom } from './rule.ts'
import { clockTime, nameOf, type World, whoAll, zoneOf } from './world.ts'

/** A name may be deleted and made again once; twice within the life of its answers is a fault. */
const MIN_FLIPS = 2
/** Answers without an address, of a name that has one: as many, and until it has one again or for so long. */
const MIN_EMPTY = 3
const LONG_EMPTY: Time = 10e9

export const flappingRcode: Rule = {
  code: 'flapping-rcode',
  severity: 'warning',
  title: 'A name comes and goes',
  means:
    'A server gives an answer for a name, then says that the name does not exist, or that it has no address, then answers again, although the first answer was to be valid for longer than that. Lookups fail by chance, and an NXDOMAIN that gets into a cache makes a moment last for half a minute.',
  why: 'Servers behind one address that do not hold the same zone, an upstream that answers NXDOMAIN when it is overloaded or cannot reach its own source, or a record that a controller deletes and creates again and again. An empty answer for a name that has an address comes from a server that lost its records, from a filter, or from a headless service without a ready pod; caches keep it like a denial.',
  todo: 'Ask each server behind the address by itself. Lower the denial TTL of the cache ("denial 9984 5") so that a wrong NXDOMAIN does not stay, and look for the controller that owns the record.',
  evidence: `Answers of one server for one name: with data, then NXDOMAIN within the TTL of that answer, then data again, at least ${MIN_FLIPS} times. Or, for A alone: with an address, then at least ${MIN_EMPTY} times with none (NOERROR), then with one again, or for ${LONG_EMPTY / 1e9} s and longer without. Names of the findings upstreams-disagree and replicas-disagree are left out.`,
  links: ['https://coredns.io/plugins/cache/', 'https://github.com/kubernetes/kubernetes/issues/136171'],
  shownBy: ['test/findings/flapping-rcode.txt'],
  begin: world => new FlappingRcode(world),
}

const SHORT_DENIALS = `# Corefile
cache {
    denial 9984 5
}`

/** The columns of the rows: end of the latest answer's life, and when the first answer came (hops are told in order of their end, so a denial may be older). */
const VALID_UNTIL = 0
const SINCE = 1

/** The columns of the empty answers: how many, when the first and the last of them came, and when a name was found last. */
const EMPTY = 0
const FIRST_EMPTY = 1
const LAST_EMPTY = 2
const LAST_FOUND = 3

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
  private readonly answered = new Rows(2, key => this.forget(key))
  /** By the same keys. */
  private readonly denials = new Map<number, Denial>()
  private readonly flips = new Map<number, Flips>()

  /** By name, A and server, as `answered`: empty answers after one with an address. */
  private readonly empty = new Rows(4, key => this.emptied.delete(key))
  private readonly emptied = new Map<number, { clients: Set<AddressId>; frames: FrameSample }>()

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
      if (row === NONE || denials.has(key)) return
      if (t.start > answered.get(row, SINCE) && t.end < answered.get(row, VALID_UNTIL)) this.noteDenial(key, t)
      return
    }
    if (t.rcode !== NOERROR) return
    if (!hasAnswer(t)) {
      if (t.qtype === A && !(t.responseFlags & TC)) this.noteEmpty(key, t)
      return
    }
    if (t.qtype === A) this.noteFound(key, t.end)
    const row = answered.of(key)
    if (denials.size > 0) this.noteFlip(key, t.end)
    const since = answered.get(row, SINCE)
    if (since === 0 || t.end < since) answered.set(row, SINCE, t.end)
    const until = t.end + t.recordTtl * 1e9
    if (t.recordTtl > 0 && until > answered.get(row, VALID_UNTIL)) answered.set(row, VALID_UNTIL, until)
  }

  /** It had an address before. */
  private noteEmpty(key: number, t: Transaction): void {
    const { answered, empty, emptied } = this
    const found = answered.find(key)
    if (found === NONE || t.start <= answered.get(found, SINCE)) return
    const row = empty.of(key)
    if (empty.get(row, EMPTY) === 0) empty.set(row, FIRST_EMPTY, t.end)
    empty.add(row, EMPTY)
    empty.set(row, LAST_EMPTY, Math.max(t.end, empty.get(row, LAST_EMPTY)))
    const sum = emptied.get(key) ?? { clients: new Set(), frames: new FrameSample() }
    emptied.set(key, sum)
    if (sum.clients.size < MOST_CLIENTS) sum.clients.add(t.client)
    sum.frames.add(t)
  }

  private noteFound(key: number, end: Time): void {
    const { empty } = this
    if (empty.size === 0) return
    const row = empty.find(key)
    if (row !== NONE) empty.set(row, LAST_FOUND, Math.max(end, empty.get(row, LAST_FOUND)))
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
    return [...this.denied(earlier), ...this.withoutAddress()]
  }

  /** Names that lost their address, and got it back or not. */
  private withoutAddress(): Draft[] {
    const { empty } = this
    const rows = Array.from({ length: empty.size }, (_, row) => row).filter(row => {
      const isAgain = empty.get(row, LAST_FOUND) > empty.get(row, FIRST_EMPTY)
      const isLong = empty.get(row, LAST_EMPTY) - empty.get(row, FIRST_EMPTY) >= LONG_EMPTY
      return empty.get(row, EMPTY) >= MIN_EMPTY && (isAgain || isLong)
    })
    if (rows.length === 0) return []
    const keys = rows.map(row => empty.keyOf(row))
    const names = [...new Set(keys.map(key => nameOf(this.world, Math.floor(idIn(key) / 2))))]
    const servers = new Set(keys.map(addressIn))
    const answers = rows.reduce((n, row) => n + empty.get(row, EMPTY), 0)
    const first = Math.min(...rows.map(row => empty.get(row, FIRST_EMPTY)))
    const last = Math.max(...rows.map(row => empty.get(row, LAST_EMPTY)))
    const isAgain = rows.every(row => empty.get(row, LAST_FOUND) > empty.get(row, FIRST_EMPTY))
    const sums = keys.flatMap(key => this.emptied.get(key) ?? [])
    const frames = new FrameSample()
    for (const sum of sums) frames.addAll(sum.frames)
    const zone = zoneOf(this.world)
    const ofCluster = zone !== null && names.every(name => isWithin(name, zone))
    const their = names.length === 1 ? 'its address' : 'their addresses'
    return [
      {
        what: `${listed(names, 2)} lost ${their}: ${whoAll(this.world, servers, 3)} answered A ${plural(answers, 'time')} with nothing (NOERROR) from ${clockTime(this.world, first)} to ${clockTime(this.world, last)} UTC, after an address${isAgain ? ', and with an address again later' : ''}. For a program that is no such host.`,
        why: ofCluster
          ? 'A headless service has no address while none of its pods is ready.'
          : 'An upstream, or a filter, left the records out for a while; a cache keeps an empty answer like a denial, also when the upstream has long been right again.',
        advice: ofCluster
          ? 'Look at the endpoints and the readiness of the pods of that service at that time.'
          : `Ask each server behind ${whoAll(this.world, servers, 3)} for A of ${names[0]}: one may lack it. A low denial TTL in the cache keeps a wrong empty answer short.`,
        ...(ofCluster ? {} : { snippet: SHORT_DENIALS }),
        count: answers,
        share: null,
        clients: new Set(sums.flatMap(({ clients }) => [...clients])),
        servers,
        frames,
        confidence: sureFrom(answers, MIN_EMPTY),
        names,
      },
    ]
  }

  private denied(earlier: readonly Concluded[]): Draft[] {
    const explained = earlier.filter(({ code }) => code === 'upstreams-disagree' || code === 'replicas-disagree')
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
    const zone = zoneOf(this.world)
    const ofCluster = zone !== null && names.every(name => isWithin(name, zone))
    return [
      {
        what: `${whoAll(this.world, servers)} denied ${listed(names, 2)} ${plural(flips, 'time')} between answers that were still valid.`,
        why: ofCluster
          ? 'Several servers stand behind this address, and each knows the services from its own watch of the API server.'
          : 'Servers behind it know different things, or an upstream says NXDOMAIN where it should say SERVFAIL.',
        advice: ofCluster
          ? 'Capture on the node, where it is seen which CoreDNS pod answers, or ask each of the CoreDNS pods by itself: one may have lost the API server.'
          : 'Capture where this server asks its upstream servers, or ask each of them by itself: they may disagree. A low denial TTL in the cache keeps a wrong NXDOMAIN short.',
        ...(ofCluster ? {} : { snippet: SHORT_DENIALS }),
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
