/**
 * Messages become transactions: sightings of one message at several interfaces, in several captures and on both sides of DNAT and
 * SNAT are merged, responses find their queries, and retransmissions the query that they repeat.
 *
 * Pairing starts from RFC 8618 section 10 (addresses, ports, transport, id, then the question). What tells a sighting from a
 * retransmission is the interface first (one interface sees one packet once), then time, IP id and TTL. NAT keeps the DNS id, DNAT
 * the client's address and port, SNAT the server's.
 */
import { QR, RD } from '../codes.ts'
import { DNS_MESSAGE, type Messages, NAME_CUT, NONE, TCP, type Time, type VantageId } from '../model.ts'
import type { Tables } from '../wire/tables.ts'
import { Arrivals } from './arrivals.ts'
import { ClientsEnd } from './clients-end.ts'
import { isOneCrossing, OTHER_CLOCK_WINDOW, SIGHTING_WINDOW } from './crossing.ts'
import { Errors } from './errors.ts'
import { LoneResponses } from './lone-responses.ts'
import { MatchingCounts } from './matching-counts.ts'
import type { OneWay } from './one-way.ts'
import { OpenTable } from './open-table.ts'
import { asksTheSame, belongsTo, idOf } from './pairing.ts'
import { DOUBLE, NO_MATCH, queryFit, RETRANSMISSION, SIGHTING, SIGHTING_OTHER_SERVER } from './query-fit.ts'
import type { Transaction } from './transaction.ts'
import { ANSWERED, CAPTURE_ENDED, hasNoAnswer, OPEN, RESPONSE_LOST, UNANSWERED } from './transaction.ts'
import type { Transactions } from './transactions.ts'
import type { Unopened } from './unopened.ts'

/** A query that is younger than this when the capture ends is not called unanswered. */
const PATIENCE: Time = 2e9

const LINUX_SLL = 113

/** A mirror port, or a bridge, shows a frame again sooner than a network that doubled the query has it answered twice. */
const MIRRORED: Time = 50e3

export class Matching {
  readonly counts = new MatchingCounts()
  /** Whole seconds since 1970 at which the run's clock starts; null before the first message. */
  origin: number | null = null
  /** Time of the latest message. */
  now: Time = 0
  readonly clientsEnd = new ClientsEnd()
  readonly loneResponses = new LoneResponses()
  private readonly oneWay: OneWay
  private readonly table: OpenTable
  private readonly transactions: Transactions
  readonly arrivals = new Arrivals()
  private readonly errors: Errors
  private made = 0
  private readonly tables: Tables
  private readonly readAnswers: ((m: Messages, i: number) => string[]) | null
  private readonly begun: (t: Transaction) => void

  /**
   * `begun` is called once for each transaction when its first query is seen, in that order; the object goes on changing until
   * it is closed. `readAnswers` turns a response's answer section into text; null where nobody will read it.
   */
  constructor(
    tables: Tables,
    transactions: Transactions,
    oneWay: OneWay,
    begun: (t: Transaction) => void,
    readAnswers: ((m: Messages, i: number) => string[]) | null,
  ) {
    this.tables = tables
    this.transactions = transactions
    this.oneWay = oneWay
    this.table = new OpenTable(transactions)
    this.errors = new Errors(this.table, this.counts, oneWay, this.clientsEnd)
    this.begun = begun
    this.readAnswers = readAnswers
  }

  /** Takes row i. */
  add(m: Messages, i: number): void {
    this.origin ??= m.seconds[i]
    const time = (m.seconds[i] - this.origin) * 1e9 + m.nanos[i]
    if (time > this.now) this.now = time
    if (m.transport[i] === TCP) this.counts.overTcp++
    if (m.kind[i] !== DNS_MESSAGE) this.errors.add(m, i, time)
    else if (m.flags[i] & QR) this.addResponse(m, i, time)
    else this.addQuery(m, i, time)
    this.table.sweep(this.now)
  }

  /** Nothing came, and the capture's clock goes on all the same. */
  pass(time: Time): void {
    if (time > this.now) this.now = time
    this.table.sweep(this.now)
  }

  /**
   * Judges whether a response that only another capture shows was lost on its way: the client's own capture shows responses, but not this
   * one. Called when all sightings are in.
   */
  judgeDelivery(t: Transaction): void {
    if (t.delivered || t.state !== ANSWERED || !this.arrivals.wouldShow(t.file, t.end)) return
    t.state = RESPONSE_LOST
    t.end = Number.NaN
    this.table.endMoved(t)
  }

  /** A transaction that was made of a response and stands for no query: its server was asked meanwhile, so the capture lost that one. */
  putBack(t: Transaction): void {
    this.counts.responsesAlone += t.sightings + t.duplicates
    this.counts.sightings -= t.sightings - 1
    this.loneResponses.add(t)
    this.transactions.release(t)
  }

  /** No more messages: what is open is unanswered, or the capture ended before it could be. */
  finish(): void {
    for (const t of this.table.pending) {
      if (t.state === OPEN) t.state = this.now - t.lastQuery >= PATIENCE ? UNANSWERED : CAPTURE_ENDED
    }
    this.table.clear()
  }

  /** TCP connections that were never opened. */
  get unopened(): Unopened {
    return this.errors.unopened
  }

  /** Queries of which nobody knows whether they were answered: too many were open at once. */
  get givenUp(): number {
    return this.table.givenUp
  }

  // -- Queries --------------------------------------------------------------------------------------------------------------

  private addQuery(m: Messages, i: number, time: Time): void {
    this.arrivals.addQuery(m, i, time)
    const vantage = m.vantage[i] * 4 + m.direction[i]
    let best: Transaction | null = null
    let bestFit = NO_MATCH
    const { found } = this.table
    const n = this.table.find(m.from[i], m.fromPort[i], idOf(m, i, m.fromPort[i]))
    for (let k = 0; k < n; k++) {
      const fit = queryFit(found[k], m, i, time, vantage, this.hidesInterface(m.vantage[i]))
      if (fit > bestFit) {
        best = found[k]
        bestFit = fit
      }
    }
    if (bestFit === NO_MATCH) {
      best = this.sourceTranslated(m, i, time, vantage)
      if (best) bestFit = SIGHTING
    }
    if (best && bestFit === DOUBLE) this.noteDouble(best, m, i)
    else if (best && bestFit >= SIGHTING_OTHER_SERVER) {
      if (best.querySeenAt(vantage) && !this.hidesInterface(m.vantage[i])) this.counts.copies++
      this.mergeQuery(best, m, i, time, vantage)
    } else if (best && bestFit === RETRANSMISSION) this.resend(best, m, i, time, vantage)
    else this.begin(m, i, time, vantage)
  }

  /** A capture of all interfaces that does not say which: copies of one packet look as if one interface had seen it twice. */
  private hidesInterface(vantage: VantageId): boolean {
    const { linkType, index } = this.tables.vantages.list[vantage]
    return linkType === LINUX_SLL && index === NONE
  }

  /** False where all messages so far were seen at one interface, each once. */
  private mayShowTwice(m: Messages, i: number): boolean {
    return this.tables.vantages.list.length >= 2 || m.direction[i] !== 0 || this.hidesInterface(m.vantage[i])
  }

  /** The transaction of which this query is a sighting behind SNAT: same server, id, question and bytes, another client. */
  private sourceTranslated(m: Messages, i: number, time: Time, vantage: number): Transaction | null {
    if (!this.mayShowTwice(m, i)) return null
    // Only the id tells that two clients' queries are one.
    if (m.dnsId[i] === NONE) return null
    const t = this.table.latest(m.qname[i], m.dnsId[i])
    if (t === null || t.withoutQuery || t.qtype !== m.qtype[i] || t.transport !== m.transport[i]) return null
    if (m.to[i] !== t.server && m.to[i] !== t.asked) return null
    if (m.size[i] !== t.querySize || m.flags[i] !== t.queryFlags || m.edns[i] !== t.edns) return null
    if (t.querySeenAt(vantage) && !this.hidesInterface(m.vantage[i])) return null
    const ipId = m.ipId[i]
    if (ipId > 0 && t.ipId > 0 && ipId !== t.ipId) return null
    return isOneCrossing(time - t.lastQuery, m.file[i] === t.file, ipId > 0 && ipId === t.ipId) ? t : null
  }

  private begin(m: Messages, i: number, time: Time, vantage: number): void {
    const t = this.transactions.take(vantage, m.file[i], m.frame[i])
    t.setEnds(m.from[i], m.fromPort[i], m.to[i], m.toPort[i])
    t.clientTtl = t.serverTtl = m.ttl[i]
    this.takeQuestion(t, m, i, time)
    t.queryFlags = m.flags[i]
    t.edns = m.edns[i]
    t.ipId = m.ipId[i]
    t.querySize = m.size[i]
    t.sinceSyn = m.sinceSyn[i]
    t.direction = m.direction[i]
    this.table.add(t)
    this.oneWay.addQuery(t.server)
    this.begun(t)
  }

  /** What a query and its response say alike. The client's port is known. */
  private takeQuestion(t: Transaction, m: Messages, i: number, time: Time): void {
    t.number = ++this.made
    t.transport = m.transport[i]
    t.dnsId = idOf(m, i, t.clientPort)
    t.qname = m.qname[i]
    t.nameCut = (m.state[i] & NAME_CUT) !== 0
    t.qtype = m.qtype[i]
    t.qclass = m.qclass[i]
    t.start = t.lastQuery = t.lastQueryAtServer = time
  }

  /** Another sighting of the transaction's last query. */
  private mergeQuery(t: Transaction, m: Messages, i: number, time: Time, vantage: number): void {
    this.counts.sightings++
    t.sightings++
    t.addQueryVantage(vantage)
    t.addFrame(m.file[i], m.frame[i])
    if (m.to[i] !== t.asked || m.from[i] !== t.client) t.translated = true
    const ttl = m.ttl[i]
    // Nearer to the client: a higher TTL, or the same and earlier.
    const nearer = ttl > t.clientTtl || (ttl === t.clientTtl && time < t.start)
    if (nearer) t.file = m.file[i]
    this.clientsEnd.addQuery(t, m.file[i], ttl, time)
    if (m.from[i] !== t.client || m.fromPort[i] !== t.clientPort) {
      if (m.from[i] !== t.seen || m.fromPort[i] !== t.seenPort) {
        this.table.alias(m.from[i], m.fromPort[i], t)
        if (nearer) {
          t.client = m.from[i]
          t.clientPort = m.fromPort[i]
        } else {
          t.seen = m.from[i]
          t.seenPort = m.fromPort[i]
        }
      }
    }
    if (m.to[i] !== t.asked && m.to[i] !== t.server) {
      if (nearer) t.asked = m.to[i]
      else {
        t.server = m.to[i]
        t.serverPort = m.toPort[i]
      }
      this.oneWay.addQuery(m.to[i])
    }
    if (ttl > t.clientTtl) t.clientTtl = ttl
    if (ttl < t.serverTtl) t.serverTtl = ttl
    if (time > t.lastQueryAtServer) t.lastQueryAtServer = time
    if ((t.nameCut || t.qname === NONE) && !(m.state[i] & NAME_CUT)) {
      t.qname = m.qname[i]
      t.nameCut = false
    }
    if (t.qtype === NONE) {
      t.qtype = m.qtype[i]
      t.qclass = m.qclass[i]
    }
  }

  /** The client has had its answer, so the copy changes nothing. */
  private noteDouble(t: Transaction, m: Messages, i: number): void {
    this.counts.copies++
    this.counts.sightings++
    t.sightings++
    t.addFrame(m.file[i], m.frame[i])
  }

  private resend(t: Transaction, m: Messages, i: number, time: Time, vantage: number): void {
    const translated = (m.to[i] !== t.asked && m.to[i] !== t.onWire) || m.from[i] !== t.client
    t.resend(time, vantage, m.file[i], translated)
    t.sightings++
    t.addFrame(m.file[i], m.frame[i])
    t.ipId = m.ipId[i]
    this.table.renew(t)
    this.oneWay.addRepeat(t)
  }

  // -- Responses and errors --------------------------------------------------------------------------------------------------

  private addResponse(m: Messages, i: number, time: Time): void {
    this.arrivals.addResponse(m, i, time)
    this.oneWay.addAnswer(m.from[i])
    const vantage = m.vantage[i] * 4 + m.direction[i]
    const t = belongsTo(this.table, m.to[i], m.toPort[i], m, i, m.from[i], vantage)
    if (t === null) {
      if (this.mergeUntranslated(m, i, time, vantage)) return
      if (this.oneWay.mayHoldResponsesAlone(m, i)) {
        if (!this.mergeTranslated(m, i, time, vantage)) this.beginWithResponse(m, i, time, vantage)
        return
      }
      this.counts.responsesAlone++
      this.loneResponses.addRow(m, i, time)
      return
    }
    if (hasNoAnswer(t)) {
      t.delivered = m.file[i] === t.file
      t.addResponseVantage(vantage)
      t.sightings++
      t.responseFrom = t.framesLength
      t.addFrame(m.file[i], m.frame[i])
      this.takeResponse(t, m, i, time)
      return
    }
    const gap = Math.abs(time - t.end)
    const isHidden = this.hidesInterface(m.vantage[i])
    const seenHere = t.responseSeenAt(vantage)
    const isCopy = seenHere && !isHidden && t.retransmissions === 0 && gap < SIGHTING_WINDOW
    const isSame = t.rcode === m.rcode[i] && t.responseSize === m.size[i] && (!seenHere || isHidden || isCopy)
    // Where nobody asked twice, a later response at another interface is the same one, held up in between.
    const isSwift = m.file[i] === t.file && t.delivered && (seenHere || isHidden || t.retransmissions > 0)
    if (isSame && gap < (isSwift ? SIGHTING_WINDOW : OTHER_CLOCK_WINDOW)) {
      if (!isCopy) this.mergeResponse(t, m, i, time, vantage)
      else this.noteCopy(t, m, i, gap)
    } else t.duplicates++
  }

  /** The client has had its answer: what comes again changes nothing of when. */
  private noteCopy(t: Transaction, m: Messages, i: number, gap: Time): void {
    this.noteDouble(t, m, i)
    if (gap > MIRRORED) t.duplicates++
  }

  /** What the response says. */
  private takeResponse(t: Transaction, m: Messages, i: number, time: Time): void {
    t.state = ANSWERED
    this.table.close(t, time)
    t.rcode = m.rcode[i]
    t.responseFlags = m.flags[i]
    t.responseSize = m.size[i]
    t.content = m.content[i]
    t.addresses = m.addresses[i]
    t.answerCount = m.ancount[i]
    t.ipv4 = m.ipv4[i]
    t.cname = m.cname[i]
    t.recordTtl = m.recordTtl[i]
    t.responseTtl = t.responseTopTtl = m.ttl[i]
    t.responseFile = m.file[i]
    if (t.nameCut && m.qname[i] !== NONE && !(m.state[i] & NAME_CUT)) {
      t.qname = m.qname[i]
      t.nameCut = false
    }
    if (this.readAnswers && t.answerCount > 0) t.answers = this.readAnswers(m, i)
  }

  /** A response of which no query was captured, from a server of which none was so far: one-way.ts decides what it is. */
  private beginWithResponse(m: Messages, i: number, time: Time, vantage: number): void {
    const t = this.transactions.take(vantage, m.file[i], m.frame[i])
    t.setEnds(m.to[i], m.toPort[i], m.from[i], m.fromPort[i])
    t.clientTtl = t.serverTtl = 0
    this.takeQuestion(t, m, i, time)
    t.queryFlags = m.flags[i] & RD
    t.edns = t.ipId = t.querySize = NONE
    t.beginWithResponse(vantage)
    t.delivered = true
    this.table.add(t)
    this.takeResponse(t, m, i, time)
    this.oneWay.addAlone(t)
    this.begun(t)
  }

  /** The same response on the other side of DNAT, where the client's end of it has the lower TTL. */
  private mergeTranslated(m: Messages, i: number, time: Time, vantage: number): boolean {
    const { found } = this.table
    const n = this.table.find(m.to[i], m.toPort[i], idOf(m, i, m.toPort[i]))
    for (let k = 0; k < n; k++) {
      const t = found[k]
      if (!t.withoutQuery || !asksTheSame(t, m, i) || t.transport !== m.transport[i]) continue
      if (t.rcode !== m.rcode[i] || t.responseSize !== m.size[i] || t.responseSeenAt(vantage)) continue
      if (!isOneCrossing(time - t.end, m.file[i] === t.file, false)) continue
      t.translated = true
      if (m.ttl[i] < t.responseTtl) t.asked = m.from[i]
      else t.server = m.from[i]
      this.mergeResponse(t, m, i, time, vantage)
      return true
    }
    return false
  }

  /**
   * A response on its way back to a client whose query was only seen after SNAT (a host's own query to a service address leaves it
   * translated): same server, id, question and bytes as one that was just answered. Its receiver is who really asked.
   */
  private mergeUntranslated(m: Messages, i: number, time: Time, vantage: number): boolean {
    if (!this.mayShowTwice(m, i)) return false
    const t = this.table.latest(m.qname[i], m.dnsId[i])
    if (t === null || t.state !== ANSWERED || t.qtype !== m.qtype[i] || t.transport !== m.transport[i]) return false
    if (!t.isServer(m.from[i])) return false
    if (t.responseSize !== m.size[i] || t.rcode !== m.rcode[i] || t.responseSeenAt(vantage)) return false
    if (!isOneCrossing(time - t.end, m.file[i] === t.file && t.delivered, false)) return false
    this.mergeResponse(t, m, i, time, vantage)
    if (m.to[i] !== t.client && m.to[i] !== t.seen) {
      this.table.alias(m.to[i], m.toPort[i], t)
      t.client = m.to[i]
      t.clientPort = m.toPort[i]
    }
    return true
  }

  /** Another sighting of the transaction's response. */
  private mergeResponse(t: Transaction, m: Messages, i: number, time: Time, vantage: number): void {
    this.counts.sightings++
    t.sightings++
    t.addResponseVantage(vantage)
    t.addFrame(m.file[i], m.frame[i])
    if (m.file[i] === t.file) t.delivered = true
    this.clientsEnd.addResponse(t, m.file[i], time)
    this.table.endMoved(t)
    if (time < t.responseAtServer) t.responseAtServer = time
    if (m.ttl[i] < t.responseTtl) t.responseTtl = m.ttl[i]
    if (m.ttl[i] > t.responseTopTtl) {
      t.responseTopTtl = m.ttl[i]
      t.responseFile = m.file[i]
    }
  }
}
