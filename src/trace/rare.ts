/** What few transactions have: further sightings, retransmissions, a TCP connection. It stands beside, so that the others need not carry it. */
import { type AddressId, NONE, type Time } from '../model.ts'

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
  frames: number[] | null = null
  /** Vantages that saw the current query behind the first, and the response. */
  queryVantages: number[] | null = null
  responseVantages: number[] | null = null
}
