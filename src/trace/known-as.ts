/**
 * What a server is called all over the world. The address alone mostly tells; where several clouds use the same one, or each network
 * has its own, the search domains that a cloud gives its machines tell which it is, and without them nothing is said.
 */
import { CLOUDS, METADATA_RESOLVER, WELL_KNOWN } from '../well-known.ts'
import { rangeOf } from './networks.ts'

export interface KnownAs {
  name: string
  /** A sentence. */
  because: string
}

/** `clients`: who asks the server; `domains`: the search domains that were learned. All as text. */
export function knownAs(address: string, clients: readonly string[], domains: readonly string[]): KnownAs | null {
  const known = WELL_KNOWN.get(address)
  if (known && address !== METADATA_RESOLVER) return { name: known.name, because: `${address} is ${known.name}` }
  for (const { domains: own, name, resolver } of CLOUDS) {
    const domain = domains.find(searched => own.some(domain => searched === domain || searched.endsWith(`.${domain}`)))
    if (domain === undefined) continue
    if (resolver === 'metadata' && address === METADATA_RESOLVER)
      return { name, because: `${address} is ${name}: machines there search ${domain}` }
    if (resolver === 'base-plus-two' && isBasePlusTwo(address, clients))
      return {
        name,
        because: `${address} is ${name} (the base of the network plus two): machines there search ${domain}`,
      }
  }
  return known ? { name: known.name, because: `${address} is ${known.name}` } : null
}

/** The second address of a private network, asked by machines of the same one. */
function isBasePlusTwo(address: string, clients: readonly string[]): boolean {
  if (!/^(10|172\.(1[6-9]|2\d|3[01])|192\.168|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\..*\.2$/.test(address))
    return false
  // A VPC has at most a /16.
  return clients.some(client => rangeOf(client) === rangeOf(address))
}
