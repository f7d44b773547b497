/**
 * Encrypted DNS: its messages cannot be read, but connections to port 853 (DNS over TLS, RFC 7858), and to port 443 of a resolver that
 * everybody knows (DNS over HTTPS, RFC 8484), tell who asks whom.
 */
import { WELL_KNOWN_RESOLVERS } from '../codes.ts'
import type { AddressId } from '../model.ts'
import { type Decoder, internAddresses } from './decoder.ts'
import { textOfV6 } from './tables.ts'

export const DNS_OVER_TLS = 853
export const HTTPS = 443

/** One SYN crosses a host's interfaces and captures within this; a port is used again later at the earliest. */
const ONE_CROSSING_SECONDS = 3
const MOST_PAIRS = 1000
const MOST_RECENT = 4096

/** Who asks whom, over what. */
export interface EncryptedPair {
  client: AddressId
  server: AddressId
  port: number
  connections: number
}

export class Encrypted {
  private readonly pairs = new Map<string, EncryptedPair>()
  private readonly clients = new Set<AddressId>()
  private readonly recent = new Map<string, number>()

  /** A connection is opened. Behind SNAT it is one that was seen before. */
  add(client: AddressId, clientPort: number, server: AddressId, port: number, seconds: number): void {
    const crossing = `${clientPort} ${server} ${port}`
    const before = this.recent.get(crossing)
    if (this.recent.size >= MOST_RECENT) this.recent.clear()
    this.recent.set(crossing, seconds)
    if (before !== undefined && Math.abs(seconds - before) <= ONE_CROSSING_SECONDS) return
    const key = `${client} ${server} ${port}`
    const pair = this.pairs.get(key)
    if (pair) pair.connections++
    else if (this.pairs.size < MOST_PAIRS) {
      this.pairs.set(key, { client, server, port, connections: 1 })
      this.clients.add(client)
    }
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
  if (!internAddresses(decoder)) return
  decoder.tables.encrypted.add(decoder.from, fromPort, decoder.to, toPort, decoder.seconds)
}

const KNOWN_V4 = new Set(
  Object.keys(WELL_KNOWN_RESOLVERS)
    .filter(text => !text.includes(':'))
    .map(text => text.split('.').reduce((number, part) => number * 256 + Number(part), 0)),
)
const KNOWN_V6 = new Set(Object.keys(WELL_KNOWN_RESOLVERS).filter(text => text.includes(':')))

/** Without the run's table of addresses, which the web servers of a cluster would fill. */
const isWellKnown = ({ bytes, toAt, version }: Decoder): boolean =>
  version === 4 ? KNOWN_V4.has(bytes.readUInt32BE(toAt)) : KNOWN_V6.has(textOfV6(bytes, toAt))
