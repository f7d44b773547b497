/**
 * What each capture shows of the two directions: whether both, and how far responses had come when they were seen. A server's own
 * capture sees them leave, with their full TTL.
 */
import { INCOMING, type Messages, type Time } from '../model.ts'

/** A capture with fewer responses than this share of its queries shows one direction only. */
const BOTH_DIRECTIONS = 0.5

/** All by file, but for what is by vantage point. */
export class Arrivals {
  /** By VantageId. */
  readonly queriesAt: number[] = []
  readonly responsesAt: number[] = []
  private readonly queries: number[] = []
  private readonly responses: number[] = []
  /** Of responses: the lowest TTL, and how many came in through an interface. */
  private readonly lowestTtl: number[] = []
  private readonly cameIn: number[] = []
  /** Time of the last message. */
  private readonly latest: Time[] = []

  /** Takes a query, row i. */
  addQuery(m: Messages, i: number, time: Time): void {
    const file = m.file[i]
    if (!(this.latest[file] >= time)) this.latest[file] = time
    this.queriesAt[m.vantage[i]] = (this.queriesAt[m.vantage[i]] ?? 0) + 1
    this.queries[file] = (this.queries[file] ?? 0) + 1
  }

  /** Takes a response, row i. */
  addResponse(m: Messages, i: number, time: Time): void {
    const file = m.file[i]
    if (!(this.latest[file] >= time)) this.latest[file] = time
    this.responsesAt[m.vantage[i]] = (this.responsesAt[m.vantage[i]] ?? 0) + 1
    this.responses[file] = (this.responses[file] ?? 0) + 1
    if (!(this.lowestTtl[file] <= m.ttl[i])) this.lowestTtl[file] = m.ttl[i]
    if (m.direction[i] === INCOMING) this.cameIn[file] = (this.cameIn[file] ?? 0) + 1
  }

  /**
   * True where a response of that time would stand in the file: it shows both directions, and goes on after it. A piece of a ring buffer or
   * of a rotated log ends before, and what came later stands in the next piece.
   */
  wouldShow(file: number, time: Time): boolean {
    return (this.responses[file] ?? 0) > BOTH_DIRECTIONS * (this.queries[file] ?? 0) && this.latest[file] > time
  }

  /** The lowest TTL of the responses that a file shows leaving; null where any of them came in. */
  ttlOfLeaving(file: number): number | null {
    return this.cameIn[file] > 0 ? null : (this.lowestTtl[file] ?? null)
  }
}
