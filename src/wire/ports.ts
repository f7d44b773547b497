/** What a port number tells of what is inside, where it tells anything. */
import type { Decoder } from './decoder.ts'

export const DOMAIN = 53
/** RFC 6762; and CoreDNS on OpenShift, in unicast. */
export const MULTICAST_DNS = 5353
/** RFC 4795 */
export const LLMNR = 5355
/** RFC 7348 */
export const VXLAN = 4789
/** What Linux took before the number was assigned; flannel and Cilium still do. */
export const VXLAN_LINUX = 8472
export const VXLAN_GPE = 4790
/** RFC 8926 */
export const GENEVE = 6081

/** Whether a conversation between these ports can be with a DNS server, as far as it is known by now. */
export function mayBeDns(decoder: Decoder, fromPort: number, toPort: number): boolean {
  if (fromPort === DOMAIN || toPort === DOMAIN || fromPort === MULTICAST_DNS || toPort === MULTICAST_DNS) return true
  const { ports } = decoder.servers
  return ports[fromPort] + ports[toPort] > 0
}

/** Tunnels send to their port; some test equipment answers from it. */
export function mayBeTunnel(fromPort: number, toPort: number): boolean {
  return isTunnel(toPort) || isTunnel(fromPort)
}

const isTunnel = (port: number): boolean =>
  port === VXLAN || port === VXLAN_LINUX || port === GENEVE || port === VXLAN_GPE
