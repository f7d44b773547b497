/**
 * Servers of which the capture holds one direction alone: a filter such as "dst port 53", a mirror port of one direction, answers that take
 * another way.
 *
 * Where it holds the queries, silence says nothing. What tells it from a server that is dead is what clients do next: who has an answer goes
 * on to the next search domain at once, and who waits in vain asks again when its timer fires. Where it holds the responses, they are what
 * is known of the queries; but a capture that begins late shows some, too, so it is waited for whether queries come.
 */
import { type AddressId, type Messages, NAME_CUT, NONE, type Time } from '../model.ts'
import type { Names } from '../wire/names.ts'
import { chainOf } from './slots.ts'
import { behind, commonBase, endsWithSuffix } from './suffix.ts'
import { isTimer, LONGEST_TIMER } from './timers.ts'
import { CAPTURE_ENDED, hasNoAnswer, type Transaction, UNSEEN } from './transaction.ts'

/** No timer fires sooner, and nearly all answers come sooner. */
const AT_ONCE: Time = 0.2e9
/** Who retries with a new id (Go, CoreDNS) counts whole seconds. */
const SECOND: Time = 1e9
const TIMER_EARLY: Time = 5e6
const TIMER_LATE: Time = 50e6
/** Steps that prove it where the capture holds no answer at all, and where it holds those of others; and of how many queries at least one is a step. */
const ENOUGH_STEPS = 2
const ENOUGH_STEPS_OF_ONE = 10
const QUERIES_PER_STEP = 20
/** Without steps: so many queries, over so long a time, of which hardly any came again. */
const ENOUGH_QUERIES = 20
const LONG_ENOUGH: Time = 20e9
const QUERIES_PER_REPEAT = 5
/** A dead server shows a retry for so many queries, since stub resolvers ask twice; and one step for so many retries is chance. */
const QUERIES_PER_RETRY = 3
const STEPS_OF_CHANCE = 10
/** Responses of a server that is never asked, in a capture that holds queries to others. */
const ENOUGH_RESPONSES = 20
/** Latest queries that are remembered, by hash: a power of two. */
const PLACES = 4096

/** What clients do that a server, or all of them, were not seen to answer. */
interface Silence {
  since: Time
  until: Time
  queries: number
  /** Queries that follow another one as the next candidate of a walk does, sooner than any timer. */
  steps: number
  /** Queries that came again. */
  repeats: number
}

interface Latest {
  client: AddressId
  server: AddressId
  key: number
  start: Time
  clientPort: number
  dnsId: number
  name: string
}

export class OneWay {
  /** Queries whose answers are missing because the capture holds none of their server. */
  queries = 0
  /** Responses that tell of their queries because the capture holds none to their server. */
  responses = 0
  // By server.
  private readonly asked: boolean[] = []
  private readonly alone: number[] = []
  private readonly answers: boolean[] = []
  private readonly silences: (Silence | undefined)[] = []
  private readonly all = newSilence()
  private hasQueries = false
  private hasAnswers = false
  private hasResponses = false
  /** A client's latest query for names that begin alike, and for a name and type. */
  private readonly steps: (Latest | undefined)[] = []
  private readonly questions: (Latest | undefined)[] = []
  /** By place of the question: who asked it of a server that answers, and when. */
  private readonly elsewhere = new Int32Array(PLACES).fill(NONE)
  private readonly elsewhereAt = new Float64Array(PLACES)
  private readonly names: Names

  constructor(names: Names) {
    this.names = names
  }

  /** No response at all, and there was none: errors came in their place, or clients asked for nearly everything again, and went on with nothing. */
  get isDead(): boolean {
    const { queries, repeats, steps } = this.all
    return (
      !this.hasResponses &&
      (this.hasAnswers || (repeats * QUERIES_PER_RETRY >= queries && steps * STEPS_OF_CHANCE < repeats))
    )
  }

  /** A query went there. */
  addQuery(server: AddressId): void {
    this.asked[server] = this.hasQueries = true
  }

  /** True for a response, row i, of a server to which no query was captured so far. */
  mayHoldResponsesAlone(m: Messages, i: number): boolean {
    return !this.asked[m.from[i]] && m.qname[i] !== NONE && !(m.state[i] & NAME_CUT)
  }

  /** A transaction was made of a response. */
  addAlone({ server }: Transaction): void {
    this.alone[server] = (this.alone[server] ?? 0) + 1
  }

  /** The batch without what was made of responses whose queries the capture lost: each is given to `putBack`. */
  withoutLone(batch: Transaction[], putBack: (t: Transaction) => void): Transaction[] {
    const isLone = (t: Transaction): boolean => t.withoutQuery && !this.isKept(t)
    if (!batch.some(isLone)) return batch
    for (const t of batch) if (isLone(t)) putBack(t)
    return batch.filter(t => !isLone(t))
  }

  /** True where it stands for a query: no others were captured of its server meanwhile. */
  private isKept({ server, asked }: Transaction): boolean {
    if (this.asked[server] || this.asked[asked]) return false
    return !this.hasQueries || this.alone[server] >= ENOUGH_RESPONSES || this.alone[asked] >= ENOUGH_RESPONSES
  }

  /** A response came from there. */
  addAnswer(server: AddressId): void {
    this.answers[server] = this.hasAnswers = this.hasResponses = true
  }

  /** An error came in the place of its response: it may be dead, but the capture shows what came back. */
  addError({ server }: Transaction): void {
    this.answers[server] = this.hasAnswers = true
  }

  /** A query was sent again to a server that did not answer. */
  addRepeat({ server }: Transaction): void {
    this.all.repeats++
    const silence = this.silences[server]
    if (silence) silence.repeats++
  }

  /** Looks at a batch in order of start, and marks the queries whose answers the capture does not hold. */
  observe(batch: readonly Transaction[]): void {
    let some = false
    for (const t of batch) {
      if (t.withoutQuery) this.responses++
      if (this.isSilent(t)) {
        some = true
        this.note(t)
      } else if (this.silences.length > 0) this.noteElsewhere(t)
    }
    if (!some) return
    for (const t of batch) {
      if (!this.isSilent(t) || !this.isOneWay(t.server)) continue
      t.state = UNSEEN
      this.queries++
    }
  }

  private isSilent(t: Transaction): boolean {
    if (!hasNoAnswer(t) && t.state !== CAPTURE_ENDED) return false
    return !this.answers[t.server] && !this.answers[t.asked] && t.qname !== NONE && !t.nameCut
  }

  private isOneWay(server: AddressId): boolean {
    if (!this.hasAnswers) return isAnsweredUnseen(this.all, ENOUGH_STEPS)
    const silence = this.silences[server]
    return silence !== undefined && isAnsweredUnseen(silence, ENOUGH_STEPS_OF_ONE)
  }

  private note(t: Transaction): void {
    let silence = this.silences[t.server]
    if (silence === undefined) {
      silence = newSilence()
      this.silences[t.server] = silence
    }
    const name = this.names.text(t.qname)
    const isStep = this.isStep(t, name) && !this.isAskedElsewhere(t)
    const isRepeat = this.isRepeat(t, name)
    for (const sum of [this.all, silence]) {
      if (t.start < sum.since) sum.since = t.start
      if (t.start > sum.until) sum.until = t.start
      sum.queries++
      if (isStep) sum.steps++
      if (isRepeat) sum.repeats++
    }
  }

  /**
   * What was asked of another server, which answers. When a timer has fired in vain it is the same question again; where both are asked at
   * once, it is the other one's answer that its client goes on with.
   */
  private noteElsewhere(t: Transaction): void {
    const key = questionOf(t)
    const at = placeOf(t.client, key)
    const silent = this.questions[at]
    if (silent?.client === t.client && silent.key === key && silent.server !== t.server) {
      const gap = t.start - silent.start
      const silence = this.silences[silent.server]
      if (silence && gap > AT_ONCE && gap <= LONGEST_TIMER) silence.repeats++
    }
    this.elsewhere[at] = t.client
    this.elsewhereAt[at] = t.start
  }

  /** Another server was asked for it as well, at once, and that one answers. */
  private isAskedElsewhere(t: Transaction): boolean {
    const at = placeOf(t.client, questionOf(t))
    return this.elsewhere[at] === t.client && Math.abs(t.start - this.elsewhereAt[at]) < AT_ONCE
  }

  /**
   * True for the next candidate of a walk: its client asked for the same base with a longer domain behind it just before. Two names that an
   * application asks for at once do not look like that.
   */
  private isStep(t: Transaction, name: string): boolean {
    const before = this.exchange(this.steps, t, this.names.head(t.qname), name)
    if (before === null || before.name === name) return false
    const gap = t.start - before.start
    if (gap < 0 || gap > AT_ONCE || before.clientPort === t.clientPort) return false
    const common = commonBase(before.name, name)
    if (common === 0) return false
    const from = behind(before.name, common)
    const to = behind(name, common)
    return from !== '' && (to === '' || endsWithSuffix(from, to))
  }

  /** True for a retry: with the id of before, or after whole seconds. Programs that ask for a name again and again do so at any time. */
  private isRepeat(t: Transaction, name: string): boolean {
    const before = this.exchange(this.questions, t, questionOf(t), name)
    if (before === null) return false
    const gap = t.start - before.start
    if (before.dnsId === t.dnsId) return gap > 0 && gap <= LONGEST_TIMER
    if (!isTimer(gap)) return false
    return gap >= SECOND - TIMER_EARLY && (gap + TIMER_EARLY) % SECOND <= TIMER_LATE
  }

  /** What stands there of this client and key, which the query takes the place of; null where nothing does. */
  private exchange(places: (Latest | undefined)[], t: Transaction, key: number, name: string): Latest | null {
    const at = placeOf(t.client, key)
    const before = places[at]
    places[at] = {
      client: t.client,
      server: t.server,
      key,
      start: t.start,
      clientPort: t.clientPort,
      dnsId: t.dnsId,
      name,
    }
    return before !== undefined && before.client === t.client && before.key === key ? before : null
  }
}

const questionOf = (t: Transaction): number => t.qname * 0x1_0000 + t.qtype

const placeOf = (client: AddressId, key: number): number =>
  chainOf(chainOf(client, key), Math.floor(key / 0x1_0000)) & (PLACES - 1)

function isAnsweredUnseen({ since, until, queries, steps, repeats }: Silence, enough: number): boolean {
  if (steps >= enough && steps * QUERIES_PER_STEP >= queries && steps > repeats) return true
  return queries >= ENOUGH_QUERIES && until - since >= LONG_ENOUGH && repeats * QUERIES_PER_REPEAT < queries
}

const newSilence = (): Silence => ({
  since: Number.POSITIVE_INFINITY,
  until: Number.NEGATIVE_INFINITY,
  queries: 0,
  steps: 0,
  repeats: 0,
})
