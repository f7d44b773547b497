/**
 * When a server answered nobody for a while, although it answers otherwise: a restart, a rollout, a crash, a hang. Each query counts, also
 * one that was sent again and answered then. Lookups are closed in whatever order they end, and those that waited end late, so the last two
 * minutes are kept in short steps of time, and what is older is settled.
 */
import { type AddressId, type NameId, NONE, type Time } from '../model.ts'
import { Tally } from './tally.ts'
import { ANSWERED, isBusy, RESPONSE_LOST, type Transaction, UNANSWERED, UNREACHED } from './transaction.ts'

const STEP: Time = 0.25e9
/** Steps that are kept of each server: a power of two. */
const STEPS = 512
/** Servers that are watched: those that are asked most. */
const MOST_SERVERS = 100
const MOST_OUTAGES = 200
/** A flood may go to thousands of servers: so few answers are only counted. */
const FEW_ANSWERS = 8
const MOST_CLIENTS = 20
const MOST_SUFFERING = 200
const MOST_NAMES = 20
const MOST_FRAMES = 10

/** One lost packet is no outage, nor is a burst of losses: so many queries, over so long a time, ... */
const MIN_QUERIES = 6
const MIN_LENGTH: Time = 0.5e9
/** ... of several clients, or so many of one. */
const MIN_QUERIES_OF_ONE = 20
/** So many errors say that it is no policy against this one. */
const ENOUGH_REFUSED = 3
/** That so many are lost in a row by chance, at a server that leaves out some anyway, must be as unlikely as this. */
const CHANCE = 1e-6
/** What is answered within this after it was asked again was not held up by the server. */
const QUICK: Time = 0.5e9

export interface Outage {
  server: AddressId
  /** The address that clients asked, where it was translated (DNAT) to this server; NONE without. */
  service: AddressId
  /** When the first query that got nothing was sent, and the last one. */
  first: Time
  last: Time
  /** Its clients alone got nothing, and nothing more, while others were answered. */
  ofClients: boolean
  answeredBefore: boolean
  /** When the first query after it was sent that was answered; NaN where there was none. */
  answeredAfter: Time
  queries: number
  /** Of these, those that were asked again: what keeps the one from coming through may keep back the other. */
  again: number
  /** Queries among them that met ICMP "unreachable" or a reset, and those that were answered when it was over: the server stood still. */
  refused: number
  held: number
  /** When the last of these was answered; 0 without. */
  released: Time
  /** Some of those who asked, and of what they asked for. */
  clients: Set<AddressId>
  names: Set<NameId>
  /** File, frame, file, frame ... of the first few. */
  frames: number[]
}

/** The service's queries that got nothing are so many times those of the pod. */
const MUCH_MORE = 1.25

const NO_STEPS = new Float64Array(STEPS).fill(NONE)

/** Queries of one step that got nothing. */
type Failed = Omit<Outage, 'server' | 'service' | 'ofClients' | 'answeredBefore' | 'answeredAfter'>

type How = 'silent' | 'refused' | 'held'

class Watched {
  /** By step modulo STEPS: which step it is, and when in it the first and the last query was sent that was answered. */
  private steps = NO_STEPS
  private firsts = NO_STEPS
  private lasts = NO_STEPS
  private readonly failed = new Map<number, Failed>()
  private newest = 0
  private settledAt = 0
  private firstAnswered = Number.POSITIVE_INFINITY
  /** Clients that got nothing: since when, and when the last query was sent that was answered after that. */
  private readonly suffering = new Map<AddressId, { since: Time; answered: Time }>()
  private open: Outage | null = null
  readonly outages: Outage[] = []
  answers = 0
  failures = 0

  answered(time: Time, client: AddressId): void {
    this.answers++
    if (this.suffering.size > 0) {
      const own = this.suffering.get(client)
      if (own !== undefined && !(time <= own.answered)) own.answered = time
    }
    if (time < this.firstAnswered) this.firstAnswered = time
    if (this.answers < FEW_ANSWERS) return
    if (this.steps === NO_STEPS) {
      this.steps = new Float64Array(STEPS).fill(NONE)
      this.firsts = new Float64Array(STEPS)
      this.lasts = new Float64Array(STEPS)
    }
    const step = Math.floor(time / STEP)
    this.advance(step)
    const i = step & (STEPS - 1)
    if (this.steps[i] < step) {
      this.steps[i] = step
      this.firsts[i] = this.lasts[i] = time
    } else if (this.steps[i] === step) {
      if (time < this.firsts[i]) this.firsts[i] = time
      if (time > this.lasts[i]) this.lasts[i] = time
    }
  }

  failedAt(time: Time, t: Transaction, how: How): void {
    this.failures++
    const own = this.suffering.get(t.client)
    if (own !== undefined) {
      if (time < own.since) own.since = time
    } else if (this.suffering.size < MOST_SUFFERING) this.suffering.set(t.client, { since: time, answered: Number.NaN })
    const step = Math.floor(time / STEP)
    this.advance(step)
    let failed = this.failed.get(step)
    if (!failed) {
      failed = {
        first: time,
        last: time,
        queries: 0,
        again: 0,
        refused: 0,
        held: 0,
        released: 0,
        clients: new Set(),
        names: new Set(),
        frames: [],
      }
      this.failed.set(step, failed)
    }
    failed.queries++
    if (time > t.start) failed.again++
    if (how === 'refused') failed.refused++
    else if (how === 'held') {
      failed.held++
      failed.released = Math.max(failed.released, t.end)
    }
    if (time < failed.first) failed.first = time
    if (time > failed.last) failed.last = time
    if (failed.clients.size < MOST_CLIENTS) failed.clients.add(t.client)
    if (failed.names.size < MOST_NAMES && t.qname !== NONE) failed.names.add(t.qname)
    if (failed.frames.length < 2 * MOST_FRAMES) failed.frames.push(...t.frames.slice(0, 2))
  }

  /**
   * Since when whoever got nothing then had got nothing, where others were answered meanwhile, and they never were again: that is about
   * these clients, a policy say. NaN where it is about the server.
   */
  sufferingSince({ first, clients }: Outage): Time {
    if (!(this.firstAnswered < first)) return Number.NaN
    let since = first
    for (const client of clients) {
      const own = this.suffering.get(client)
      if (own === undefined || own.since >= first - STEP || own.answered > own.since) return Number.NaN
      since = Math.min(since, own.since)
    }
    return since
  }

  private advance(step: number): void {
    if (step <= this.newest) return
    this.newest = step
    if (step - this.settledAt < STEPS / 2) return
    this.settledAt = step
    if (this.open || this.failed.size > 0) this.settle(step - STEPS / 2)
  }

  /** Goes through what failed before a step. */
  settle(until: number): void {
    const steps = [...this.failed.keys()].filter(step => step < until).sort((a, b) => a - b)
    for (const step of steps) {
      const failed = this.failed.get(step) as Failed
      this.failed.delete(step)
      this.closeIfAnswered(failed.first)
      const i = step & (STEPS - 1)
      // Others were answered in the same moment.
      if (this.steps[i] === step && this.firsts[i] <= failed.last && this.lasts[i] >= failed.first) {
        if (this.open) this.close(this.firsts[i])
      } else {
        const known =
          this.open ??
          this.outages.find(({ first, answeredAfter }) => failed.first >= first && failed.last < answeredAfter)
        if (known) extend(known, failed)
        else this.open = this.begin(failed)
      }
    }
    // What failed later may still belong to it.
    this.closeIfAnswered(Math.min(until * STEP, ...[...this.failed.values()].map(({ first }) => first)))
  }

  private closeIfAnswered(before: Time): void {
    if (!this.open) return
    const answered = this.answeredBetween(this.open.last, before)
    if (!Number.isNaN(answered)) this.close(answered)
  }

  private begin(failed: Failed): Outage {
    const answeredBefore = this.firstAnswered < failed.first
    return { server: NONE, service: NONE, ofClients: false, ...failed, answeredBefore, answeredAfter: Number.NaN }
  }

  private close(answeredAfter: Time): void {
    const { open } = this
    this.open = null
    if (open === null || this.outages.length >= MOST_OUTAGES || !isLong(open)) return
    open.answeredAfter = answeredAfter
    this.outages.push(open)
  }

  /** When the first query after one time and before the other was sent that was answered; NaN without. */
  private answeredBetween(after: Time, before: Time): Time {
    const last = Math.min(Math.floor(before / STEP), this.newest)
    for (let step = Math.max(Math.floor(after / STEP), last - STEPS + 1); step <= last; step++) {
      const i = step & (STEPS - 1)
      if (this.steps[i] !== step) continue
      const time = this.firsts[i] > after ? this.firsts[i] : this.lasts[i]
      if (time > after && time < before) return time
    }
    return Number.NaN
  }

  finish(): void {
    this.settle(Number.POSITIVE_INFINITY)
    this.close(Number.NaN)
  }
}

export class Outages {
  private readonly servers = new Tally<AddressId, Watched>(() => new Watched(), MOST_SERVERS)
  /** Whom queries to an address that is translated (DNAT) went to. */
  private readonly podsOf = new Map<AddressId, Set<AddressId>>()
  /** Several findings ask for them. */
  private concluded: readonly Outage[] | null = null
  private readonly isService: (name: NameId) => boolean
  private readonly isAnswered: (name: NameId) => boolean

  /** `isService`: whether a name is meant for a service of the cluster; `isAnswered`: whether anybody ever got an answer for it. */
  constructor(isService: (name: NameId) => boolean, isAnswered: (name: NameId) => boolean) {
    this.isService = isService
    this.isAnswered = isAnswered
  }

  /** Takes a hop that is closed. A service answers as long as one of its pods does, so it counts beside the pod. */
  note(t: Transaction): void {
    this.noteAt(t.server, t)
    if (t.asked === t.server) return
    this.noteAt(t.asked, t)
    const pods = this.podsOf.get(t.asked)
    if (pods === undefined) {
      if (this.podsOf.size < MOST_SERVERS) this.podsOf.set(t.asked, new Set([t.server]))
    } else if (pods.size < MOST_SERVERS) pods.add(t.server)
  }

  private noteAt(address: AddressId, t: Transaction): void {
    const { state } = t
    if (state === ANSWERED || state === RESPONSE_LOST) {
      const server = this.servers.of(address)
      if (t.resent !== null && isQuickAtLast(t)) {
        const { resent } = t
        server.failedAt(t.start, t, 'silent')
        for (let i = 0; i + 1 < resent.length; i++) server.failedAt(resent[i], t, 'silent')
      }
      if (!(t.end - t.lastQuery >= QUICK)) server.answered(t.lastQuery, t.client)
      // What it has to ask for itself may take long; what it knows, as the cluster's own, does not, unless it stands still.
      else if (t.qname !== NONE && this.isService(t.qname)) server.failedAt(t.lastQuery, t, 'held')
    } else if (state === UNANSWERED || state === UNREACHED) {
      const server = this.servers.of(address)
      const times = [t.start, ...(t.resent ?? [])]
      for (const [i, time] of times.entries())
        server.failedAt(time, t, state === UNREACHED && i === times.length - 1 ? 'refused' : 'silent')
    }
  }

  /** All that are no matter of chance, in order of time. To be called when nothing comes any more. */
  conclude(): readonly Outage[] {
    this.concluded ??= this.find()
    return this.concluded
  }

  private find(): Outage[] {
    const all: Outage[] = []
    for (const [server, watched] of this.servers) {
      watched.finish()
      const lost = watched.outages.reduce((n, { queries }) => n + queries, 0)
      const share = (watched.failures - lost + 1) / (watched.answers + watched.failures - lost + 2)
      for (const outage of watched.outages) {
        if (share ** (outage.queries - outage.again / 2) >= CHANCE || !this.isOfServer(outage)) continue
        const since = watched.sufferingSince(outage)
        const ofClients = !Number.isNaN(since)
        const first = ofClients ? since : outage.first
        all.push({ ...outage, server, service: this.serviceOf(server), ofClients, first })
      }
    }
    return all.filter(outage => !this.isToldBetter(outage, all)).sort((a, b) => a.first - b.first)
  }

  private serviceOf(server: AddressId): AddressId {
    for (const [service, pods] of this.podsOf) if (pods.has(server)) return service
    return NONE
  }

  /** A service and its pod were silent at the same time, and the pod is told; or the service, if it was silent for longer: it had no pod. */
  private isToldBetter(outage: Outage, all: readonly Outage[]): boolean {
    return all.some(other => {
      if (outage.first > other.last || other.first > outage.last) return false
      if (this.podsOf.get(outage.server)?.has(other.server)) return outage.queries < MUCH_MORE * other.queries
      return this.podsOf.get(other.server)?.has(outage.server) && other.queries >= MUCH_MORE * outage.queries
    })
  }

  /** What is asked for and answered otherwise: else it is these names, and the servers behind, that are silent. */
  private isOfServer({ names }: Outage): boolean {
    let known = 0
    for (const name of names) if (this.isService(name) || this.isAnswered(name)) known++
    return 2 * known >= names.size
  }
}

/** It stood still, and answered most of what had come meanwhile when it went on. */
export const stoodStill = ({ held, queries }: Outage): boolean => held * 2 > queries

/** The capture holds not one answer of the server. */
export const wasNeverSeen = ({ answeredBefore, answeredAfter }: Outage): boolean =>
  !answeredBefore && Number.isNaN(answeredAfter)

const isLong = ({ first, last, queries, refused, clients }: Outage): boolean =>
  last - first >= MIN_LENGTH &&
  queries >= (clients.size > 1 || refused >= ENOUGH_REFUSED ? MIN_QUERIES : MIN_QUERIES_OF_ONE)

function extend(outage: Outage, more: Failed): void {
  outage.first = Math.min(outage.first, more.first)
  outage.last = Math.max(outage.last, more.last)
  outage.queries += more.queries
  outage.again += more.again
  outage.refused += more.refused
  outage.held += more.held
  outage.released = Math.max(outage.released, more.released)
  for (const client of more.clients) if (outage.clients.size < MOST_CLIENTS) outage.clients.add(client)
  for (const name of more.names) if (outage.names.size < MOST_NAMES) outage.names.add(name)
  if (outage.frames.length < 2 * MOST_FRAMES) outage.frames.push(...more.frames)
}

/** The last of its queries was answered at once, and the server was not at work on an earlier one: those it never got, or never answered. */
const isQuickAtLast = (t: Transaction): boolean =>
  t.duplicates === 0 && (Number.isNaN(t.end) || t.end - t.lastQuery < QUICK) && !isBusy(t, t.lastQuery)
