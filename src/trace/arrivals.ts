/**
 * What each capture shows of the two directions: whether both, and how far responses had come when they were seen. A server's own
 * capture sees them leave, with their full TTL.
 */
import { type AddressId, INCOMING, type Messages, NONE, type Time } from '../model.ts'

/** A capture with fewer responses than this share of its queries shows one direction only. */
const BOTH_DIRECTIONS = 0.5

/** Linux sends with this TTL; a router lowers it. */
export const FULL_TTL = 64

/** All by file, but for what is by vantage point. */
export class Arrivals {
  /** By VantageId. */
  readonly queriesAt: number[] = []
  readonly responsesAt: number[] = []
  private readonly queries: number[] = []
  private readonly responses: number[] = []
  /** The lowest TTL of a response, and how many responses came in through an interface. */
  private readonly lowestTtl: number[] = []
  private readonly cameIn: number[] = []
  /** Time of the last message. */
  private readonly latest: Time[] = []
  /** By AddressId, where its queries come in before any router: the file that has the lead (Boyer and Moore), and how far. */
  private readonly homes: number[] = []
  private readonly leads: number[] = []
  private readonly homeFiles: boolean[] = []

  /** Takes a query, row i. */
  addQuery(m: Messages, i: number, time: Time): void {
    const file = m.file[i]
    if (!(this.latest[file] >= time)) this.latest[file] = time
    this.queriesAt[m.vantage[i]] = (this.queriesAt[m.vantage[i]] ?? 0) + 1
    this.queries[file] = (this.queries[file] ?? 0) + 1
    if (m.direction[i] === INCOMING && m.ttl[i] === FULL_TTL) this.noteHome(m.from[i], file)
  }

  /** Messages of more than one capture were seen. */
  get hasSeveralFiles(): boolean {
    return this.queries.length > 1
  }

  /** The capture of the node at which a client's queries come in; NONE where none is known. On its way a query comes by there first. */
  homeOf(client: AddressId): number {
    return this.homes[client] ?? NONE
  }

  /** True for a capture taken at a node that clients are at home at. */
  isHome(file: number): boolean {
    return this.homeFiles[file] === true
  }

  private noteHome(client: AddressId, file: number): void {
    const home = this.homes[client]
    if (home === undefined) {
      while (this.homes.length < client) {
        this.homes.push(NONE)
        this.leads.push(0)
      }
    }
    if (home === file) this.leads[client]++
    else if (home === undefined || home === NONE || --this.leads[client] < 0) {
      this.homes[client] = file
      this.leads[client] = 1
      this.homeFiles[file] = true
    }
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
