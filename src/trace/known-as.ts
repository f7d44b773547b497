/**
 * What a server is called all over the world. The address alone mostly tells; where several clouds use the same one, or each network
 * has its own, the search domains that a cloud gives its machines tell which it is, and without them nothing is said.
 */
import { CLOUDS, type Cloud, METADATA_RESOLVER, WELL_KNOWN } from '../well-known.ts'
import { rangeOf } from './networks.ts'

export interface KnownAs {
  name: string
  /** A sentence. */
  because: string
}

/** `domains`: the search domains that were learned; `hasNeighbour`: whether a client of that network asks it. Asked for little at a time. */
export function knownAs(
  address: string,
  domains: () => readonly string[],
  hasNeighbour: (network: string) => boolean,
): KnownAs | null {
  const known = WELL_KNOWN.get(address)
  if (address === METADATA_RESOLVER) {
    const cloud = cloudOf('metadata', domains())
    if (cloud)
      return { name: cloud.name, because: `${address} is ${cloud.name}: machines there search ${cloud.searched}` }
  } else if (!known && BASE_PLUS_TWO.test(address) && hasNeighbour(rangeOf(address))) {
    const cloud = cloudOf('base-plus-two', domains())
    return (
      cloud && {
        name: cloud.name,
        because: `${address} is ${cloud.name} (the base of the network plus two): machines there search ${cloud.searched}`,
      }
    )
  }
  return known ? { name: known.name, because: `${address} is ${known.name}` } : null
}

/** The second address of a private network. */
const BASE_PLUS_TWO = /^(10|172\.(1[6-9]|2\d|3[01])|192\.168|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\..*\.2$/

function cloudOf(resolver: Cloud['resolver'], searched: readonly string[]): { name: string; searched: string } | null {
  for (const cloud of CLOUDS) {
    if (cloud.resolver !== resolver) continue
    const domain = searched.find(name => cloud.domains.some(own => name === own || name.endsWith(`.${own}`)))
    if (domain !== undefined) return { name: cloud.name, searched: domain }
  }
  return null
}
