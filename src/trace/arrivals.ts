/**
 * What each capture shows of the two directions: whether both, and how far responses had come when they were seen. A server's own
 * capture sees them leave, with their full TTL.
 */
import { INCOMING, type Messages } from '../model.ts'

/** A capture with fewer responses than this share of its queries shows one direction only. */
const BOTH_DIRECTIONS = 0.5

/** All by file. */
export class Arrivals {
  private readonly queries: number[] = []
  private readonly responses: number[] = []
  /** Of responses: the lowest TTL, and how many came in through an interface. */
  private readonly lowestTtl: number[] = []
  private readonly cameIn: number[] = []

  addQuery(file: number): void {
    this.queries[file] = (this.queries[file] ?? 0) + 1
  }

  /** Takes a response, row i. */
  addResponse(m: Messages, i: number): void {
    const file = m.file[i]
    this.responses[file] = (this.responses[file] ?? 0) + 1
    if (!(this.lowestTtl[file] <= m.ttl[i])) this.lowestTtl[file] = m.ttl[i]
    if (m.direction[i] === INCOMING) this.cameIn[file] = (this.cameIn[file] ?? 0) + 1
  }

  showsBothDirections(file: number): boolean {
    return (this.responses[file] ?? 0) > BOTH_DIRECTIONS * (this.queries[file] ?? 0)
  }

  /** The lowest TTL of the responses that a file shows leaving; null where any of them came in. */
  ttlOfLeaving(file: number): number | null {
    return this.cameIn[file] > 0 ? null : (this.lowestTtl[file] ?? null)
  }
}
