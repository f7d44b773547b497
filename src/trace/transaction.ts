/**
 * The transaction: a query, its retransmissions and its response, between one client address and one server, whatever the number of
 * interfaces and captures that saw them.
 */
import { type AddressId, type NameId, NONE, type Time, type WasteKind } from '../model.ts'

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

/**
 * All fields are set from the start, so that every transaction has the same hidden class. Objects are used again when nobody holds them
 * any more (`renew`): a busy server has ten thousand queries a second, and what they leave behind took a fifth of the time.
 */
export class Transaction {
  /** Counts from 1 in order of start. */
  number = 0
  state = OPEN

  // Who and what. `client` really asked (before SNAT), `seen` is what the server saw; `asked` is the address that the client
  // used, `server` the one that finally served (after DNAT). Where no translation was seen the two are equal.
  client: AddressId = NONE
  clientPort = 0
  seen: AddressId = NONE
  seenPort = 0
  asked: AddressId = NONE
  /** Where `asked` (and `server`) is the id of one of several servers with one address, the address's own id, as messages have it (nodes.ts). */
  onWire: AddressId = NONE
  server: AddressId = NONE
  serverPort = 0
  /** TTL at the sightings nearest to the client and to the server: forwarding only ever lowers it. */
  clientTtl = 0
  serverTtl = 0
  transport = 0
  /** Negative where it is not known: see matching.ts. */
  dnsId = NONE
  qname: NameId = NONE
  nameCut = false
  qtype = NONE
  qclass = NONE
  /** Header flags and OPT of the query. */
  queryFlags = 0
  edns = NONE
  ipId = NONE
  querySize = NONE
  sinceSyn = Number.NaN
  /** File of the query's sighting nearest to the client, and direction (Messages.direction) of the first. */
  file = 0
  /** The response was seen in that file too. */
  delivered = false
  direction = 0

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
  responseFlags = 0
  responseSize = NONE
  content = 0
  addresses = 0
  answerCount = 0
  cname: NameId = NONE
  soa: NameId = NONE
  recordTtl = NONE
  /** Smallest TTL of the response's sightings; 0 without. */
  responseTtl = 0
  /** The largest, and the file in which it was seen: the one nearest to the server. */
  responseTopTtl = 0
  responseFile = NONE
  answers: string[] | null = null

  // How often.
  retransmissions = 0
  /** Times of the retransmitted queries; null without. */
  resent: Time[] | null = null
  /** Messages seen for its queries and its response, the first ones included. */
  sightings = 1
  /** Further responses to the same query. */
  duplicates = 0
  // Interfaces (vantage * 4 + direction) that saw the current query, and the response: mostly one each, so an array is the exception.
  private queryVantage = NONE
  private moreQueryVantages: number[] | null = null
  private responseVantage = NONE
  private moreResponseVantages: number[] | null = null
  /** At how many the response, or the error in its place, was seen; 0 while there is none. */
  responseSightings = 0
  // Where it was seen first and last: mostly a query and its response.
  private firstFile = NONE
  private firstFrame = NONE
  private secondFile = NONE
  private secondFrame = NONE
  private moreFrames: number[] | null = null
  /** How many entries of `frames` are of the first try; 0 while there was no other. */
  framesOfFirstTry = 0
  /** How many entries of `frames` there were when each further query was sent; null without. */
  triesAt: number[] | null = null
  /** The entry of `frames` at which the response's begin; NONE without one. */
  responseFrom = NONE
  /** What came in the response's place was a TCP reset, not ICMP. */
  wasReset = false
  /** The current query was seen behind a translation of its addresses, and so was the first one. */
  translated = false
  firstTranslated = false

  // What the later stages find out.
  /** The transactions that made a forwarder ask this one; null without. */
  causes: Transaction[] | null = null
  /** Those that this one made its server ask; null without. */
  effects: Transaction[] | null = null
  /** The transactions with its question during whose wait it began, between the two passes of forwarding.ts; null without. */
  enclosing: Transaction[] | null = null
  /** Where it stands among what forwarders may be working on (forwarding.ts). */
  nextWaiting: Transaction | null = null
  isWaiting = false
  /** Number of the lookup that it belongs to, NONE. */
  lookup = NONE
  /** A health check or loop probe: nobody's lookup. */
  infrastructure = false
  /** What its socket carries beside it (pools.ts), and whether a forwarder asked it for somebody who was not captured. */
  socketUse = 0
  isForOthers = false
  /** Of a lookup's transaction: the kind of waste that its query was, null where it was needed. Its retransmissions always are waste. */
  waste: WasteKind | null = null

  // Where it stands in the open table (open-table.ts).
  slot = 0
  aliasKey = NONE
  /** Its lookup is closed, and what it caused is told. */
  isTold = false

  /** How many stages hold on to it; whoever lets go last gives it back (transactions.ts). */
  holders = 0

  /** Takes a query's first sighting. What the fields of the query are is set by matching.ts, all others as in a new object. */
  renew(vantage: number, file: number, frame: number): void {
    this.file = this.timedIn = file
    this.queryVantage = vantage
    this.firstFile = file
    this.firstFrame = frame
    this.state = OPEN
    this.delivered = false
    this.onWire = NONE
    this.translated = this.firstTranslated = false
    this.responseAtServer = Number.NaN
    this.end = Number.NaN
    this.rcode = NONE
    this.responseFlags = 0
    this.responseSize = NONE
    this.content = 0
    this.addresses = 0
    this.answerCount = 0
    this.cname = NONE
    this.soa = NONE
    this.recordTtl = NONE
    this.responseTtl = this.responseTopTtl = 0
    this.responseFile = NONE
    this.answers = null
    this.retransmissions = 0
    this.resent = null
    this.sightings = 1
    this.duplicates = 0
    this.moreQueryVantages = null
    this.responseVantage = NONE
    this.moreResponseVantages = null
    this.responseSightings = 0
    this.secondFile = NONE
    this.secondFrame = NONE
    this.moreFrames = null
    this.framesOfFirstTry = 0
    this.triesAt = null
    this.responseFrom = NONE
    this.wasReset = false
    this.isTold = false
    this.causes = null
    this.effects = null
    this.enclosing = null
    this.nextWaiting = null
    this.isWaiting = false
    this.lookup = NONE
    this.infrastructure = false
    this.socketUse = 0
    this.isForOthers = false
    this.waste = null
    this.aliasKey = NONE
  }

  /** True of an address, as a message has it, that it was sent to or that serves it. */
  isServer(address: AddressId): boolean {
    return address === this.server || address === this.asked || address === this.onWire
  }

  /** File, frame, file, frame ... of all sightings, made anew: for those who print them. */
  get frames(): number[] {
    const frames = [this.firstFile, this.firstFrame]
    if (this.secondFile !== NONE) frames.push(this.secondFile, this.secondFrame)
    if (this.moreFrames) frames.push(...this.moreFrames)
    return frames
  }

  addFrame(file: number, frame: number): void {
    if (this.secondFile === NONE) {
      this.secondFile = file
      this.secondFrame = frame
    } else if (this.moreFrames) this.moreFrames.push(file, frame)
    else this.moreFrames = [file, frame]
  }

  /** A capture other than `file` that saw it; NONE where there is none. */
  otherFile(file: number): number {
    if (this.firstFile !== file) return this.firstFile
    if (this.secondFile !== file) return this.secondFile
    const { moreFrames } = this
    if (moreFrames) for (let i = 0; i < moreFrames.length; i += 2) if (moreFrames[i] !== file) return moreFrames[i]
    return NONE
  }

  /** The file of the i-th sighting, counted from 0. */
  fileAt(i: number): number {
    return i === 0 ? this.firstFile : i === 1 ? this.secondFile : (this.moreFrames as number[])[2 * i - 4]
  }

  seenIn(file: number): boolean {
    if (this.firstFile === file || this.secondFile === file) return true
    const { moreFrames } = this
    if (moreFrames) for (let i = 0; i < moreFrames.length; i += 2) if (moreFrames[i] === file) return true
    return false
  }

  /** How many entries `frames` has. */
  get framesLength(): number {
    return this.secondFile === NONE ? 2 : 4 + (this.moreFrames?.length ?? 0)
  }

  querySeenAt(vantage: number): boolean {
    return this.queryVantage === vantage || (this.moreQueryVantages?.includes(vantage) ?? false)
  }

  addQueryVantage(vantage: number): void {
    if (this.moreQueryVantages) this.moreQueryVantages.push(vantage)
    else this.moreQueryVantages = [vantage]
  }

  /** The query was sent again: only who sees that counts from now on. */
  restartQueryVantages(vantage: number): void {
    this.queryVantage = vantage
    this.moreQueryVantages = null
  }

  responseSeenAt(vantage: number): boolean {
    if (this.responseSightings === 0) return false
    return this.responseVantage === vantage || (this.moreResponseVantages?.includes(vantage) ?? false)
  }

  addResponseVantage(vantage: number): void {
    if (this.responseSightings++ === 0) this.responseVantage = vantage
    else if (this.moreResponseVantages) this.moreResponseVantages.push(vantage)
    else this.moreResponseVantages = [vantage]
  }
}

/** When the client had its answer, or the server sent it where no client is known to have got it; NaN while it waits. */
export const answeredAt = (t: Transaction): Time => (Number.isNaN(t.end) ? t.responseAtServer : t.end)

/** Milliseconds from the first query to the response at the client; null while there is none. */
export const waitOf = (t: Transaction): number | null =>
  Number.isNaN(t.end) || isDenied(t) ? null : (t.end - t.start) / 1e6

/** A query that a DNS rule denied, as a flow log tells: the denial bears the query's own time, so nobody knows how long it took. */
export const isDenied = (t: Transaction): boolean => t.state === UNREACHED && t.end === t.start

/** Milliseconds from the last query to the response, both as near to the server as the captures show. */
export const serverTimeOf = (t: Transaction): number | null =>
  Number.isNaN(t.end) || isDenied(t) ? null : (t.responseAtServer - t.lastQueryAtServer) / 1e6
