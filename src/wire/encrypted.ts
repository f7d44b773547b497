/**
 * Encrypted DNS: its messages cannot be read, but connections to port 853 (DNS over TLS, RFC 7858; over QUIC, RFC 9250), and to port
 * 443 of a resolver that everybody knows (DNS over HTTPS, RFC 8484, also over HTTP/3), tell who asks whom.
 */
import type { AddressId, EncryptedOver } from '../model.ts'
import { WELL_KNOWN } from '../well-known.ts'
import { type Decoder, internAddresses } from './decoder.ts'
import { textOfV6 } from './tables.ts'

/** DNS over TLS, and over QUIC. */
export const DNS_ENCRYPTED = 853
export const HTTPS = 443

/** Bits of the first byte of a QUIC packet: a long header, and the bit that is always set (RFC 9000 17.2). */
const QUIC_LONG = 0xc0
/** What kind of long packet it is: two bits. In version 1 an Initial is 0, in version 2 (RFC 9369) it is 1. */
const QUIC_TYPE = 0x30
const QUIC_1 = 1
const QUIC_2 = 0x6b33_43cf
/** Whoever opens a connection fills its first packet up to this (RFC 9000 14.1). */
const QUIC_LEAST = 1200

/** One SYN crosses a host's interfaces and captures within this; a port is used again later at the earliest. */
const ONE_CROSSING_SECONDS = 3
const MOST_PAIRS = 1000
const MOST_RECENT = 4096

/** Who asks whom, over what. */
export interface EncryptedPair {
  client: AddressId
  server: AddressId
  over: EncryptedOver
  connections: number
}

export class Encrypted {
  private readonly pairs = new Map<string, EncryptedPair>()
  private readonly clients = new Set<AddressId>()
  private readonly recent = new Map<string, number>()
  /** Connections of pairs that found no place any more. */
  unlisted = 0

  /** A connection is opened. Behind SNAT it is one that was seen before. */
  add(client: AddressId, clientPort: number, server: AddressId, over: EncryptedOver, seconds: number): void {
    const crossing = `${clientPort} ${server} ${over}`
    const before = this.recent.get(crossing)
    if (this.recent.size >= MOST_RECENT) this.recent.clear()
    this.recent.set(crossing, seconds)
    if (before !== undefined && Math.abs(seconds - before) <= ONE_CROSSING_SECONDS) return
    const key = `${client} ${server} ${over}`
    const pair = this.pairs.get(key)
    if (pair) pair.connections++
    else if (this.pairs.size < MOST_PAIRS) {
      this.pairs.set(key, { client, server, over, connections: 1 })
      this.clients.add(client)
    } else this.unlisted++
  }

  /** True where this address was seen to ask over an encrypted connection. */
  isUsedBy(client: AddressId): boolean {
    return this.clients.has(client)
  }

  get list(): EncryptedPair[] {
    return [...this.pairs.values()]
  }
}

/** Looks at a SYN from `fromPort` to a port that may mean encrypted DNS. */
export function noteEncrypted(decoder: Decoder, fromPort: number, toPort: number): void {
  if (toPort === HTTPS && !isWellKnown(decoder)) return
  note(decoder, fromPort, toPort === HTTPS ? 'https' : 'tls')
}

/** Looks at a datagram from `fromPort` to such a port, whose data lie from `at` to `wireEnd`, captured up to `end`: does it open a connection of QUIC? */
export function noteQuic(
  decoder: Decoder,
  fromPort: number,
  toPort: number,
  at: number,
  end: number,
  wireEnd: number,
): void {
  const { bytes } = decoder
  if (wireEnd - at < QUIC_LEAST || at + 5 > end || (bytes[at] & QUIC_LONG) !== QUIC_LONG) return
  const version = bytes.readUInt32BE(at + 1)
  const type = (bytes[at] & QUIC_TYPE) >> 4
  if (!((version === QUIC_1 && type === 0) || (version === QUIC_2 && type === 1))) return
  if (toPort === HTTPS && !isWellKnown(decoder)) return
  note(decoder, fromPort, toPort === HTTPS ? 'http3' : 'quic')
}

function note(decoder: Decoder, fromPort: number, over: EncryptedOver): void {
  if (!internAddresses(decoder)) return
  decoder.tables.encrypted.add(decoder.from, fromPort, decoder.to, over, decoder.seconds)
}

const KNOWN = [...WELL_KNOWN].filter(([, { role }]) => role === 'upstream').map(([address]) => address)
const KNOWN_V4 = new Set(
  KNOWN.filter(text => !text.includes(':')).map(text =>
    text.split('.').reduce((number, part) => number * 256 + Number(part), 0),
  ),
)
const KNOWN_V6 = new Set(KNOWN.filter(text => text.includes(':')))

/** Without the run's table of addresses, which the web servers of a cluster would fill. */
const isWellKnown = ({ bytes, toAt, version }: Decoder): boolean =>
  version === 4 ? KNOWN_V4.has(bytes.readUInt32BE(toAt)) : KNOWN_V6.has(textOfV6(bytes, toAt))
