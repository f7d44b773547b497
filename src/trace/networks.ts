/** Networks by the size that clusters mostly give them; nothing in a capture tells how large one really is. */

/** The /24 or /64 of an address, as text. */
export const networkOf = (address: string): string =>
  address.includes(':') ? address.split(':').slice(0, 4).join(':') : address.slice(0, address.lastIndexOf('.'))

/** The /16 or /48 of an address, as text. */
export const rangeOf = (address: string): string =>
  address.includes(':') ? address.split(':').slice(0, 3).join(':') : address.split('.').slice(0, 2).join('.')

/** How many of some addresses are in each network. */
export function countByNetwork(addresses: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const address of addresses) {
    const network = networkOf(address)
    counts.set(network, (counts.get(network) ?? 0) + 1)
  }
  return counts
}

/** True for an address that is the asker's own host, or its pod, whoever asks. */
export const isLoopback = (address: string): boolean => address.startsWith('127.') || address === '::1'

/** The addresses that nodes have in a network of pods. */
export const isNodesOwn = (address: string): boolean => /[.:][01]$/.test(address)

/** By network a node's address in it: those in which pods are masqueraded behind an address, and that hold no pod that serves. */
export function hostNetworks(masks: readonly string[], servers: readonly string[]): Map<string, string> {
  const networks = new Map(masks.map(address => [networkOf(address), address]))
  for (const server of servers) networks.delete(networkOf(server))
  return networks
}

/** Networks in which pods stand. */
export class PodNetworks {
  private readonly ranges = new Set<string>()
  private readonly networks = new Set<string>()

  /** A pod's address. */
  add(address: string): void {
    this.ranges.add(rangeOf(address))
    this.networks.add(networkOf(address))
  }

  /** In one network with a pod, and not the address that nodes have in there. */
  isBeside(address: string): boolean {
    return this.networks.has(networkOf(address)) && !isNodesOwn(address)
  }

  /** Pods have one range in most clusters: true outside all that are known, where one of its family is. */
  isFar(address: string): boolean {
    if (this.ranges.size === 0 || this.ranges.has(rangeOf(address))) return false
    for (const range of this.ranges) if (range.includes(':') === address.includes(':')) return true
    return false
  }
}
