/** What comes in a response's place: ICMP errors, TCP resets, and connections that were never opened. */
import { QR } from '../codes.ts'
import { type Messages, NONE, TCP, TCP_RESET, TCP_SILENT, type Time } from '../model.ts'
import type { ClientsEnd } from './clients-end.ts'
import { SIGHTING_WINDOW } from './crossing.ts'
import type { MatchingCounts } from './matching-counts.ts'
import type { OneWay } from './one-way.ts'
import type { OpenTable } from './open-table.ts'
import { belongsTo } from './pairing.ts'
import { ANSWERED, OPEN, UNREACHED } from './transaction.ts'
import { Unopened } from './unopened.ts'

/** No program gives up sooner. */
const IMPATIENCE: Time = 50e6

export class Errors {
  readonly unopened = new Unopened()
  private readonly table: OpenTable
  private readonly counts: MatchingCounts
  private readonly oneWay: OneWay
  private readonly clientsEnd: ClientsEnd

  constructor(table: OpenTable, counts: MatchingCounts, oneWay: OneWay, clientsEnd: ClientsEnd) {
    this.table = table
    this.counts = counts
    this.oneWay = oneWay
    this.clientsEnd = clientsEnd
  }

  /** Takes row i, which is no DNS message. */
  add(m: Messages, i: number, time: Time): void {
    if (m.kind[i] === TCP_RESET) this.addReset(m, i, time)
    else if (m.kind[i] === TCP_SILENT) this.unopened.addSilent(m, i, time)
    else if (m.flags[i] !== NONE && m.flags[i] & QR) this.addUnwanted(m, i)
    else this.addUnreachable(m, i, time)
  }

  private addUnreachable(m: Messages, i: number, time: Time): void {
    const vantage = m.vantage[i] * 4 + m.direction[i]
    // An ICMP error may quote too little; without any id it is Hubble's word, and that has the question.
    const named = m.dnsId[i] !== NONE || m.qname[i] !== NONE
    const t = named ? belongsTo(this.table, m.from[i], m.fromPort[i], m, i, m.to[i], vantage) : null
    if (t === null) this.counts.errorsAlone++
    else if (t.state === OPEN) {
      t.state = UNREACHED
      this.oneWay.addError(t)
      this.table.close(t, time)
      t.addResponseVantage(vantage)
      t.addFrame(m.file[i], m.frame[i])
    } else if (t.state === UNREACHED && !t.responseSeenAt(vantage)) {
      if (time - t.end < SIGHTING_WINDOW) this.clientsEnd.addResponse(t, m.file[i], time)
      this.table.endMoved(t)
      t.addResponseVantage(vantage)
      t.addFrame(m.file[i], m.frame[i])
      this.counts.sightings++
    }
  }

  /**
   * The client's port was closed when a response came. Of several its own may have been another one; and one that came at once was not too
   * late: the client closed its port because it had it, and a copy, made behind the capture, came after it.
   */
  private addUnwanted(m: Messages, i: number): void {
    const t = belongsTo(this.table, m.to[i], m.toPort[i], m, i, m.from[i], NONE)
    if (t?.state === ANSWERED && t.duplicates === 0 && t.end - t.start >= IMPATIENCE) t.cameTooLate = true
    else this.counts.errorsAlone++
  }

  /** A reset ends the queries that wait on its connection. Rare, so a walk over what is open will do. */
  private addReset(m: Messages, i: number, time: Time): void {
    let found = false
    for (const t of this.table.pending) {
      if (t.state !== OPEN || t.transport !== TCP) continue
      const down = t.clientPort === m.toPort[i] && t.client === m.to[i] && t.isServer(m.from[i])
      const up = t.clientPort === m.fromPort[i] && t.client === m.from[i] && t.isServer(m.to[i])
      if (!down && !up) continue
      found = true
      t.state = UNREACHED
      t.wasReset = true
      this.table.close(t, time)
      t.addFrame(m.file[i], m.frame[i])
    }
    if (found) return
    this.counts.errorsAlone++
    if (!Number.isNaN(m.sinceSyn[i])) this.unopened.addRefused(m, i, time)
  }
}
