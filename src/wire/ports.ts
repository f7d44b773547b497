/** What a port number tells of what is inside, where it tells anything. */
import type { Decoder } from './decoder.ts'

/**
 * By tunnel over UDP, the ports that are assigned to it: https://www.iana.org/assignments/service-names-port-numbers; 8472 is Linux's, from
 * before VXLAN had a number: flannel and Cilium.
 */
export const TUNNEL_PORTS = {
  vxlan: [4789, 8472],
  geneve: [6081],
  'vxlan-gpe': [4790],
  gre: [4754],
  mpls: [6635],
  gtp: [2152],
  l2tp: [1701],
} as const

export type TunnelName = keyof typeof TUNNEL_PORTS

/** What a user can name. */
export const TUNNEL_NAMES = Object.keys(TUNNEL_PORTS) as readonly TunnelName[]

export const isTunnelName = (name: string): name is TunnelName => Object.hasOwn(TUNNEL_PORTS, name)

export interface TunnelPort {
  name: TunnelName
  port: number
}

/** What the user says of ports. */
export interface PortHints {
  /** On which DNS servers listen, beside 53. */
  dns: readonly number[]
  tunnels: readonly TunnelPort[]
}

export const DOMAIN = 53
/** RFC 6762; and CoreDNS on OpenShift, in unicast. */
export const MULTICAST_DNS = 5353
/** RFC 4795 */
export const LLMNR = 5355

/** Whether a conversation between these ports can be with a DNS server, as far as it is known by now. */
export function mayBeDns(decoder: Decoder, fromPort: number, toPort: number): boolean {
  if (fromPort === DOMAIN || toPort === DOMAIN || fromPort === MULTICAST_DNS || toPort === MULTICAST_DNS) return true
  const { ports } = decoder.servers
  return ports[fromPort] + ports[toPort] > 0
}
