/**
 * The transaction: a query, its retransmissions and its response, between one client address and one server, whatever the number of
 * interfaces and captures that saw them.
 */
import { NOERROR, NXDOMAIN } from '../codes.ts'
import { type AddressId, type NameId, NONE, type Time, type WasteKind } from '../model.ts'
import { Rare } from './rare.ts'
import { Small } from './small.ts'

/** Transaction.state */
export const OPEN = 0
export const ANSWERED = 1
/** An ICMP "unreachable" or a TCP reset came instead of a response. */
export const UNREACHED = 2
/** No response, although the capture had time to show one. */
export const UNANSWERED = 3
/** No response before the capture ended. */
export const CAPTURE_ENDED = 4
/** A response was seen nearer to the server, and never where the client is: for the client there was none. */
export const RESPONSE_LOST = 5
/** No response was captured, and yet there was one: what its client did next shows that (unseen.ts). */
export const UNSEEN = 6

/** What caused another thing may bear a later time than it by this much: two interfaces, or captures, and one clock. */
export const CLOCK_SLACK: Time = 1e6

/** Stands for what a transaction does not have. */
const NOTHING_RARE: Readonly<Rare> = new Rare()

/**
 * All fields are set from the start, so that every transaction has the same hidden class. Objects are used again when nobody holds them
 * any more (`renew`): a busy server has ten thousand queries a second, and what they leave behind took a fifth of the time.
 *
 * What is small shares a field with others (small.ts), and what few have stands in an object of its own (rare.ts): some twenty thousand
 * are open at once at a busy server, and most stages wait for their memory.
 */
export class Transaction extends Small {
  /** Counts from 1 in order of start. */
  number = 0
  state = OPEN

  // Who and what. `client` really asked (before SNAT), `seen` is what the server saw; `asked` is the address that the client
  // used, `server` the one that finally served (after DNAT). Where no translation was seen the two are equal.
  client: AddressId = NONE
  clientPort = 0
  seen: AddressId = NONE
  asked: AddressId = NONE
  server: AddressId = NONE
  /** Negative where it is not known: see matching.ts. */
  dnsId = NONE
  qname: NameId = NONE
  qtype = NONE
  qclass = NONE
  /** OPT of the query. */
  edns = NONE
  ipId = NONE
  querySize = NONE
  /** File of the query's sighting nearest to the client. */
  file = 0

  // When. Queries at their sighting nearest to the client, the last one also at the one nearest to the server.
  /** File in which the client's end of the last query, and of its response, was read. */
  timedIn = 0
  start: Time = 0
  lastQuery: Time = 0
  lastQueryAtServer: Time = 0
  /** The response where the server sent it and where the client got it; NaN while there is none. */
  responseAtServer: Time = Number.NaN
  end: Time = Number.NaN

  // What came back.
  rcode = NONE
  responseSize = NONE
  content = 0
  /** The first address of an answer to A, as one signed number; 0 without. */
  ipv4 = 0
  cname: NameId = NONE
  recordTtl = NONE
  /** The file in which `responseTopTtl` was seen: the one nearest to the server. */
  responseFile = NONE

  // How often.
  retransmissions = 0
  /** Messages seen for its queries and its response, the first ones included. */
  sightings = 1
  // Interfaces (vantage * 4 + direction) that saw the current query, and the response: mostly one each, so an array is the exception.
  private queryVantage = NONE
  private responseVantage = NONE
  /** At how many the response, or the error in its place, was seen; 0 while there is none. */
  responseSightings = 0
  // Where it was seen first and last: mostly a query and its response.
  private firstFile = NONE
  private firstFrame = NONE
  private secondFile = NONE
  private secondFrame = NONE
  /** The entry of `frames` at which the response's begin; NONE without one. */
  responseFrom = NONE

  // What the later stages find out.
  /** The transactions that made a forwarder ask this one; null without. */
  causes: Transaction[] | null = null
  /** Those that this one made its server ask; null without. */
  effects: Transaction[] | null = null
  /** The transactions with its question during whose wait it began, between the two passes of forwarding.ts; null without. */
  enclosing: Transaction[] | null = null
  /** Where it stands among what forwarders may be working on (forwarding.ts). */
  nextWaiting: Transaction | null = null
  /** Number of the lookup that it belongs to, NONE. */
  lookup = NONE
  /** The kind of waste that a lookup's query was, null where it was needed. Its retransmissions always are waste. */
  waste: WasteKind | null = null

  /** Where it stands in the open table (open-table.ts). */
  slot = 0
  /** How many stages hold on to it; whoever lets go last gives it back (transactions.ts). */
  holders = 0

  private rare: Rare | null = null

  /** Takes a query's first sighting. What the fields of the query are is set by matching.ts, all others as in a new object. */
  renew(vantage: number, file: number, frame: number): void {
    this.file = this.timedIn = file
    this.queryVantage = vantage
    this.firstFile = file
    this.firstFrame = frame
    this.state = OPEN
    this.responseAtServer = Number.NaN
    this.end = Number.NaN
    this.rcode = NONE
    this.responseSize = NONE
    this.content = 0
    this.ipv4 = 0
    this.cname = NONE
    this.recordTtl = NONE
    this.responseFile = NONE
    this.retransmissions = 0
    this.sightings = 1
    this.responseVantage = NONE
    this.responseSightings = 0
    this.secondFile = NONE
    this.secondFrame = NONE
    this.responseFrom = NONE
    this.causes = null
    this.effects = null
    this.enclosing = null
    this.nextWaiting = null
    this.lookup = NONE
    this.waste = null
    this.clear()
    this.rare?.clear()
  }

  /** Before any translation is known. */
  setEnds(client: AddressId, clientPort: number, server: AddressId, serverPort: number): void {
    this.client = this.seen = client
    this.clientPort = this.seenPort = clientPort
    this.asked = this.server = server
    this.serverPort = serverPort
  }

  /** What was seen first is its response: no query was captured. */
  beginWithResponse(vantage: number): void {
    this.withoutQuery = true
    this.queryVantage = NONE
    this.responseFrom = 0
    this.addResponseVantage(vantage)
  }

  // -- What few have ----------------------------------------------------------------------------------------------------------

  /** To be read. */
  private get known(): Readonly<Rare> {
    return this.rare ?? NOTHING_RARE
  }

  /** To be written. */
  private get own(): Rare {
    this.rare ??= new Rare()
    return this.rare
  }

  /** Where `asked` (and `server`) is the id of one of several servers with one address, the address's own id, as messages have it (nodes.ts). */
  get onWire(): AddressId {
    return this.known.onWire
  }

  set onWire(address: AddressId) {
    this.own.onWire = address
  }

  /** Nanoseconds since the SYN of its connection (Messages.sinceSyn); NaN without. */
  get sinceSyn(): number {
    return this.known.sinceSyn
  }

  set sinceSyn(nanoseconds: number) {
    if (!Number.isNaN(nanoseconds)) this.own.sinceSyn = nanoseconds
  }

  /** What the response says, as text; null where nobody wants it. */
  get answers(): string[] | null {
    return this.known.answers
  }

  set answers(answers: string[]) {
    this.own.answers = answers
  }

  /** Further responses to the same query. */
  get duplicates(): number {
    return this.known.duplicates
  }

  set duplicates(responses: number) {
    this.own.duplicates = responses
  }

  /** Its key in the open table behind SNAT; NONE without. */
  get aliasKey(): number {
    return this.known.aliasKey
  }

  set aliasKey(key: number) {
    this.own.aliasKey = key
  }

  /** Times of the retransmitted queries; null without. */
  get resent(): Time[] | null {
    return this.known.resent
  }

  /** How many entries of `frames` there were when each further query was sent; null without. */
  get triesAt(): readonly number[] | null {
    return this.known.triesAt
  }

  /** How many entries of `frames` are of the first try; 0 while there was no other. */
  get framesOfFirstTry(): number {
    return this.known.triesAt?.[0] ?? 0
  }

  /** The first query was seen behind a translation of its addresses. */
  get firstTranslated(): boolean {
    return this.retransmissions === 0 ? this.translated : this.known.firstTranslated
  }

  /** The query was sent again, and seen there; `translated`: with other addresses. */
  resend(time: Time, vantage: number, file: number, translated: boolean): void {
    const { own } = this
    if (own.resent === null) {
      own.firstTranslated = this.translated
      own.resent = [time]
      own.triesAt = [this.framesLength]
    } else {
      own.resent.push(time)
      own.triesAt?.push(this.framesLength)
    }
    this.translated = translated
    this.retransmissions++
    // Only who sees that one counts from now on.
    this.queryVantage = vantage
    own.queryVantages.length = 0
    this.lastQuery = this.lastQueryAtServer = time
    this.timedIn = file
  }

  // -- Where it was seen ------------------------------------------------------------------------------------------------------

  /** True of an address, as a message has it, that it was sent to or that serves it. */
  isServer(address: AddressId): boolean {
    return address === this.server || address === this.asked || address === this.onWire
  }

  /** File, frame, file, frame ... of all sightings, made anew: for those who print them. */
  get frames(): number[] {
    const frames = [this.firstFile, this.firstFrame]
    if (this.secondFile !== NONE) frames.push(this.secondFile, this.secondFrame)
    return this.rare === null ? frames : frames.concat(this.rare.frames.list)
  }

  addFrame(file: number, frame: number): void {
    if (this.secondFile === NONE) {
      this.secondFile = file
      this.secondFrame = frame
      return
    }
    const { frames } = this.own
    frames.add(file)
    frames.add(frame)
  }

  /** A capture other than `file` that saw it; NONE where there is none. */
  otherFile(file: number): number {
    if (this.firstFile !== file) return this.firstFile
    if (this.secondFile !== file) return this.secondFile
    const { frames } = this.known
    for (let i = 0; i < frames.length; i += 2) if (frames.at(i) !== file) return frames.at(i)
    return NONE
  }

  /** The file of the i-th sighting, counted from 0. */
  fileAt(i: number): number {
    return i === 0 ? this.firstFile : i === 1 ? this.secondFile : this.known.frames.at(2 * i - 4)
  }

  seenIn(file: number): boolean {
    if (this.firstFile === file || this.secondFile === file) return true
    const { frames } = this.known
    for (let i = 0; i < frames.length; i += 2) if (frames.at(i) === file) return true
    return false
  }

  /** How many entries `frames` has. */
  get framesLength(): number {
    return this.secondFile === NONE ? 2 : 4 + this.known.frames.length
  }

  querySeenAt(vantage: number): boolean {
    return this.queryVantage === vantage || this.known.queryVantages.includes(vantage)
  }

  addQueryVantage(vantage: number): void {
    this.own.queryVantages.add(vantage)
  }

  responseSeenAt(vantage: number): boolean {
    if (this.responseSightings === 0) return false
    return this.responseVantage === vantage || this.known.responseVantages.includes(vantage)
  }

  addResponseVantage(vantage: number): void {
    if (this.responseSightings++ === 0) {
      this.responseVantage = vantage
      return
    }
    this.own.responseVantages.add(vantage)
  }
}

/** A query that several waited for counts once, with the first of them. */
export const isFirst = (cause: Transaction, effect: Transaction): boolean => effect.causes?.[0] === cause

/** No response was seen so far. */
export const hasNoAnswer = ({ state }: Transaction): boolean =>
  state === OPEN || state === UNANSWERED || state === UNSEEN

/** What became of it nobody can tell: the capture ended first, or lost the response. */
export const isUntold = ({ state }: Transaction): boolean =>
  state === OPEN || state === CAPTURE_ENDED || state === UNSEEN

/** Its answer says that the name exists, or that it does not: no error. */
export const isFinal = ({ rcode }: Transaction): boolean => rcode === NOERROR || rcode === NXDOMAIN

/** The server was at work on it then: a query of its own was open. */
export const isBusy = (t: Transaction, then: Time): boolean =>
  t.effects?.some(effect => effect.start < then && !(effect.end < then)) ?? false

/** When the client had its answer, or the server sent it where no client is known to have got it; NaN while it waits. */
export const answeredAt = (t: Transaction): Time => (Number.isNaN(t.end) ? t.responseAtServer : t.end)

/** Nobody knows how long it took. */
export const isUntimed = (t: Transaction): boolean => Number.isNaN(t.end) || isDenied(t) || t.withoutQuery

/** Milliseconds from the first query to the response at the client; null while there is none. */
export const waitOf = (t: Transaction): number | null => (isUntimed(t) ? null : (t.end - t.start) / 1e6)

/** A query that a DNS rule denied, as a flow log tells: the denial bears the query's own time, so nobody knows how long it took. */
export const isDenied = (t: Transaction): boolean => t.state === UNREACHED && t.end === t.start

/** Milliseconds from the last query to the response, both as near to the server as the captures show. */
export const serverTimeOf = (t: Transaction): number | null =>
  isUntimed(t) ? null : (t.responseAtServer - t.lastQueryAtServer) / 1e6
