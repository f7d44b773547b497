/**
 * UDP, RFC 768, and who lives on which port.
 *
 *       0             2                  4        6          8
 *      +-------------+------------------+--------+----------+------
 *      | source port | destination port | length | checksum | data
 *      +-------------+------------------+--------+----------+------
 */
import { QR } from '../codes.ts'
import { NONE, UDP } from '../model.ts'
import {
  type Decoder,
  DNS,
  type FrameClass,
  internAddresses,
  issue,
  note,
  OTHER,
  tooShort,
  vantageOf,
} from './decoder.ts'
import { appendMessage, HEADER as DNS_HEADER, LEAST } from './dns.ts'
import { DNS_ENCRYPTED, HTTPS, noteQuic } from './encrypted.ts'
import { newName, readName, WHOLE } from './name.ts'
import { DOMAIN, LLMNR, MULTICAST_DNS } from './ports.ts'
import { looksLikeDns } from './recognise.ts'
import { queryHash } from './servers.ts'
import { tunnelByShape, tunnelOf } from './tunnels.ts'

const HEADER = 8

const name = newName()

export function udp(decoder: Decoder, at: number, end: number, wireEnd: number): FrameClass {
  const { bytes } = decoder
  if (at + HEADER > end) return tooShort(decoder, 'udp-header', end, wireEnd)
  const fromPort = (bytes[at] << 8) | bytes[at + 1]
  const toPort = (bytes[at + 2] << 8) | bytes[at + 3]
  const data = at + HEADER
  if (fromPort !== DOMAIN && toPort !== DOMAIN) {
    const tunnel = tunnelOf(decoder, fromPort, toPort)
    if (tunnel) return tunnel(decoder, data, end, wireEnd)
    // The hot rejection: one question and a plausible opcode, or it is not DNS.
    if (data + DNS_HEADER > end || bytes[data + 5] !== 1 || bytes[data + 4] !== 0 || (bytes[data + 2] & 0x50) !== 0) {
      if (toPort === DNS_ENCRYPTED || toPort === HTTPS) noteQuic(decoder, fromPort, toPort, data, end, wireEnd)
      if (fromPort === MULTICAST_DNS || toPort === MULTICAST_DNS) return multicast(decoder, fromPort, toPort, data, end)
      const shape = tunnelByShape(bytes, data, end, wireEnd)
      return shape ? shape(decoder, data, end, wireEnd) : OTHER
    }
    decoder.fromPort = fromPort
    decoder.toPort = toPort
    return elsewhere(decoder, at, end, wireEnd)
  }
  decoder.fromPort = fromPort
  decoder.toPort = toPort
  return dns(decoder, at, end, wireEnd)
}

/** The datagram at `at` is DNS by its port. */
function dns(decoder: Decoder, at: number, end: number, wireEnd: number): FrameClass {
  const { bytes } = decoder
  const data = at + HEADER
  let length = (bytes[at + 4] << 8) | bytes[at + 5]
  if (length < HEADER) {
    // 0 is a jumbogram or a segment that the network card has yet to cut up (RFC 2675 4).
    if (length !== 0) note(decoder, 'udp-length')
    length = wireEnd - at
  } else if (at + length > wireEnd) {
    note(decoder, 'udp-length')
    length = wireEnd - at
  }
  const dataWireEnd = at + length
  const dataEnd = dataWireEnd < end ? dataWireEnd : end
  if (data + DNS_HEADER > dataWireEnd) return issue(decoder, 'dns-short')
  if (data + LEAST > dataEnd) return issue(decoder, 'headers-cut')
  if (!internAddresses(decoder)) return issue(decoder, 'addresses-limit')
  decoder.vantage = vantageOf(decoder)
  appendMessage(decoder, UDP, data, dataEnd, dataWireEnd, decoder.size)
  return DNS
}

/** One question, on another port than 53. */
function elsewhere(decoder: Decoder, at: number, end: number, wireEnd: number): FrameClass {
  const { bytes, fromPort, toPort, servers } = decoder
  const data = at + HEADER
  if (fromPort === LLMNR || toPort === LLMNR) {
    decoder.capture.multicastDns++
    return OTHER
  }
  if (fromPort === MULTICAST_DNS || toPort === MULTICAST_DNS) {
    if ((fromPort === MULTICAST_DNS && toPort === MULTICAST_DNS) || isMulticast(decoder))
      return multicast(decoder, fromPort, toPort, data, end)
  }
  const length = (bytes[at + 4] << 8) | bytes[at + 5]
  const dataWireEnd = length < HEADER || at + length > wireEnd ? wireEnd : at + length
  if (!looksLikeDns(bytes, data, dataWireEnd, Math.min(end, dataWireEnd))) return OTHER
  internAddresses(decoder)
  const { from, to } = decoder
  if (fromPort === MULTICAST_DNS || toPort === MULTICAST_DNS || servers.has(to, toPort) || servers.has(from, fromPort))
    return dns(decoder, at, end, wireEnd)
  const flags = (bytes[data + 2] << 8) | bytes[data + 3]
  if ((flags & QR) === 0 && servers.learn(hashOf(decoder, data, end), decoder.seconds, to, toPort))
    return dns(decoder, at, end, wireEnd)
  note(decoder, 'dns-elsewhere')
  return OTHER
}

/** What Servers.note was given when the same query was on its way to port 53. */
function hashOf(decoder: Decoder, data: number, end: number): number {
  const { bytes } = decoder
  const state = readName(bytes, data, data + DNS_HEADER, end, name)
  const qname = state === WHOLE ? decoder.tables.names.internWire(name.bytes, name.start, name.end) : NONE
  const qtype = (bytes[name.next] << 8) | bytes[name.next + 1]
  return queryHash(decoder.from, decoder.fromPort, (bytes[data] << 8) | bytes[data + 1], qname, qtype)
}

/** Multicast DNS (RFC 6762) is counted, not analysed. */
function multicast(decoder: Decoder, fromPort: number, toPort: number, data: number, end: number): FrameClass {
  const both = fromPort === MULTICAST_DNS && toPort === MULTICAST_DNS
  if (data + DNS_HEADER <= end && (both || isMulticast(decoder))) decoder.capture.multicastDns++
  return OTHER
}

/** Whether the innermost packet goes to a multicast address. */
function isMulticast(decoder: Decoder): boolean {
  const first = decoder.bytes[decoder.toAt]
  return decoder.version === 4 ? first >= 224 && first < 240 : first === 255
}
