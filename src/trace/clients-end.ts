/**
 * When a client asked, and when it had its answer: the earliest sighting of the query and the latest of the response. But a capture in a
 * pod leaves that to its node's capture, where that saw the query before any router as well: see input/nesting.ts.
 */
import type { Time } from '../model.ts'
import type { Transaction } from './transaction.ts'

export class ClientsEnd {
  /** By file, the one that it leaves times to; NONE where there is none. */
  readAt: readonly number[] = []

  /** Takes another sighting of the transaction's last query. */
  addQuery(t: Transaction, file: number, ttl: number, time: Time): void {
    if (this.leavesTo(file, t) && ttl <= t.clientTtl) return
    const isLeft = this.readAt[t.timedIn] === file && ttl >= t.clientTtl
    if (!isLeft && time >= t.lastQuery) return
    if (t.retransmissions === 0 || time < t.start) t.start = time
    else if (isLeft && t.resent) t.resent[t.resent.length - 1] = time
    t.lastQuery = time
    t.timedIn = file
  }

  /** Takes another sighting of its response, or of the error in its place. */
  addResponse(t: Transaction, file: number, time: Time): void {
    if (time > t.end && !this.leavesTo(file, t)) t.end = time
  }

  private leavesTo(file: number, t: Transaction): boolean {
    return this.readAt[file] === t.timedIn
  }
}
