/** What a port number tells of what is inside, where it tells anything. */
import type { Decoder } from './decoder.ts'
import type { TunnelPort } from './tunnels.ts'

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
