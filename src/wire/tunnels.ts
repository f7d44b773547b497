/**
 * Tunnels over UDP: a parser each, on the ports that are assigned to it (ports.ts). A user can name others (--tunnel), and what has the
 * exact shape of VXLAN or Geneve is one on any port: clusters choose theirs freely.
 */
import type { Decoder, Parser } from './decoder.ts'
import { geneve } from './geneve.ts'
import { gre } from './gre.ts'
import { gtp } from './gtp.ts'
import { l2tp } from './l2tp.ts'
import { mpls } from './mpls.ts'
import { TUNNEL_NAMES, TUNNEL_PORTS, type TunnelName, type TunnelPort } from './ports.ts'
import { vxlan, vxlanGpe } from './vxlan.ts'

const PARSERS: Record<TunnelName, Parser> = { vxlan, geneve, 'vxlan-gpe': vxlanGpe, gre, mpls, gtp, l2tp }
const TUNNELS = TUNNEL_NAMES.map(name => PARSERS[name])

/** By port: 0, or the number of a tunnel and 1. */
export function tunnelPorts(more: readonly TunnelPort[]): Uint8Array {
  const ports = new Uint8Array(65_536)
  TUNNEL_NAMES.forEach((name, i) => {
    for (const port of TUNNEL_PORTS[name]) ports[port] = i + 1
  })
  for (const { name, port } of more) ports[port] = TUNNEL_NAMES.indexOf(name) + 1
  return ports
}

/** Tunnels send to their port; some test equipment answers from it. */
export function tunnelOf(decoder: Decoder, fromPort: number, toPort: number): Parser | null {
  const row = decoder.tunnels[toPort] || decoder.tunnels[fromPort]
  return row === 0 ? null : TUNNELS[row - 1]
}

export const mayBeTunnel = (decoder: Decoder, fromPort: number, toPort: number): boolean =>
  (decoder.tunnels[toPort] | decoder.tunnels[fromPort]) !== 0

/** Bytes of a header of Geneve and VXLAN. */
const HEADER = 8
const ETHERNET = 14

/**
 * The tunnel that the datagram with the data [at, end) is by its shape, whatever its port: the fixed bits of the header, and behind it
 * an Ethernet frame with an IP packet that ends where the datagram does.
 */
export function tunnelByShape(bytes: Buffer, at: number, end: number, wireEnd: number): Parser | null {
  if (at + HEADER + ETHERNET + 20 > end || bytes[at + 7] !== 0) return null
  if (bytes[at] === 8) {
    if ((bytes[at + 1] | bytes[at + 2] | bytes[at + 3]) !== 0) return null
    return holdsPacket(bytes, at + HEADER, end, wireEnd) ? vxlan : null
  }
  if (bytes[at + 2] !== 0x65 || bytes[at + 3] !== 0x58 || bytes[at] > 63 || (bytes[at + 1] & 63) !== 0) return null
  return holdsPacket(bytes, at + HEADER + (bytes[at] << 2), end, wireEnd) ? geneve : null
}

function holdsPacket(bytes: Buffer, at: number, end: number, wireEnd: number): boolean {
  const packet = at + ETHERNET
  if (packet + 20 > end) return false
  const type = (bytes[at + 12] << 8) | bytes[at + 13]
  if (type === 0x0800)
    return bytes[packet] >> 4 === 4 && packet + ((bytes[packet + 2] << 8) | bytes[packet + 3]) === wireEnd
  return (
    type === 0x86dd &&
    bytes[packet] >> 4 === 6 &&
    packet + 40 + ((bytes[packet + 4] << 8) | bytes[packet + 5]) === wireEnd
  )
}
