/**
 * What few transactions have: further sightings, retransmissions, a TCP connection. It stands beside, so that the others need not carry it,
 * and is used again with its transaction: where each message is seen three times, all have it.
 */
import { type AddressId, NONE, type Time } from '../model.ts'
import { Numbers } from './numbers.ts'

/** Described where they are read: transaction.ts. */
export class Rare {
  onWire: AddressId = NONE
  sinceSyn = Number.NaN
  answers: string[] | null = null
  duplicates = 0
  aliasKey = NONE

  resent: Time[] | null = null
  triesAt: number[] | null = null
  firstTranslated = false

  /** File, frame, file, frame ... behind the first two sightings. */
  readonly frames = new Numbers()
  /** Vantages that saw the current query behind the first, and the response. */
  readonly queryVantages = new Numbers()
  readonly responseVantages = new Numbers()

  /** All as in a new object. */
  clear(): void {
    this.onWire = NONE
    this.sinceSyn = Number.NaN
    this.answers = null
    this.duplicates = 0
    this.aliasKey = NONE
    this.resent = this.triesAt = null
    this.firstTranslated = false
    this.frames.length = this.queryVantages.length = this.responseVantages.length = 0
  }
}
