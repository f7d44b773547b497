/** What is remembered of a TCP connection with a DNS server: its two streams, and what opened and ended it. */
import { NONE } from '../model.ts'
import { type Decoder, type Moment, note } from './decoder.ts'

export const NO_BYTES = Buffer.alloc(0)

/** A segment that came before the one that it follows. */
export interface EarlySegment {
  sequence: number
  bytes: Buffer
  wireLength: number
  moment: Moment
}

export interface Stream {
  /** Next sequence number; of no meaning until `started`. */
  next: number
  started: boolean
  /** False: it is not known where messages begin. */
  inStep: boolean
  /** Length of the message under way with its prefix; 0 until that is known. */
  length: number
  /** How much of it has passed, and how much of its beginning is held. */
  passed: number
  held: Buffer
  heldLength: number
  /** Something of it is missing: what comes now is not appended to what is held. */
  holed: boolean
  /** By sequence number. */
  early: EarlySegment[]
  earlyBytes: number
  /** Highest acknowledgement of the other side; bytes before it have arrived, whether we saw them or not. */
  acknowledged: number
  hasAcknowledged: boolean
}

/** A TCP connection with a DNS server, as seen at one vantage. */
export interface Connection {
  vantage: number
  /** The ends in decoder.streamAddresses, in the order that makes the key the same for both directions. */
  a: number
  b: number
  /** The same in the run's tables; NONE until the connection brings a message. */
  aAddress: number
  bAddress: number
  aPort: number
  bPort: number
  fromA: Stream
  fromB: Stream
  /** When the SYN passed, until the first query did; NaN else. */
  synSeconds: number
  synNanos: number
  /** Initial sequence number of the SYN, NaN where it was not seen. */
  synSequence: number
  reset: boolean
  /** Its SYN was sent again, and that was told. */
  silent: boolean
  finished: boolean
}

export function newStream(): Stream {
  return {
    next: 0,
    started: false,
    inStep: false,
    length: 0,
    passed: 0,
    held: NO_BYTES,
    heldLength: 0,
    holed: false,
    early: [],
    earlyBytes: 0,
    acknowledged: 0,
    hasAcknowledged: false,
  }
}

/** Makes the decoder's sender and receiver those of the stream. */
export function face(decoder: Decoder, connection: Connection, stream: Stream): void {
  const isFromA = stream === connection.fromA
  decoder.vantage = connection.vantage
  decoder.from = isFromA ? connection.a : connection.b
  decoder.to = isFromA ? connection.b : connection.a
  decoder.fromPort = isFromA ? connection.aPort : connection.bPort
  decoder.toPort = isFromA ? connection.bPort : connection.aPort
}

/** Makes the decoder's sender and receiver, which are the connection's, those of the run's tables. False: no room for further ones. */
export function knowAddresses(decoder: Decoder, connection: Connection): boolean {
  if (connection.aAddress === NONE) {
    const { streamAddresses, tables } = decoder
    connection.aAddress = tables.addresses.internText(streamAddresses.text(connection.a))
    connection.bAddress = tables.addresses.internText(streamAddresses.text(connection.b))
  }
  const { a, aAddress, bAddress } = connection
  if (aAddress === NONE || bAddress === NONE) {
    note(decoder, 'addresses-limit')
    return false
  }
  const isFromA = decoder.from === a
  decoder.from = isFromA ? aAddress : bAddress
  decoder.to = isFromA ? bAddress : aAddress
  return true
}
