/** What an address was seen to do, as far as it tells who it is. */
import { type AddressId, NONE } from '../model.ts'

export interface Doings {
  asked: number
  served: number
  /** First seen going out of the capturing host, or coming in. */
  wentOut: number
  cameIn: number
  overTcp: number
  /** TCP connections whose beginning was seen. */
  connections: number
  /** Stands behind SNAT in front of these clients. */
  masks: number
  /** What it asked for others who were not captured (pools.ts); of that, names of the cluster, and those of them that were denied. */
  forOthers: number
  clusterForOthers: number
  deniedForOthers: number
  /** As the address that a client used: answers that came from another one. */
  translatedTo: ReadonlyMap<AddressId, number>
  /** As a server: how often another address was asked for it. */
  standsFor: ReadonlyMap<AddressId, number>
  /** Names of the cluster domain answered with authority, and answered at all. */
  clusterAuthority: number
  clusterAnswers: number
  /** Names of the cluster domain for which it had what was asked. */
  clusterFound: number
  otherAnswers: number
  /** Names of the cluster domain that it was asked for, and the capture does not hold its answers. */
  clusterUnseen: number
  /** Answers without "recursion available": CoreDNS' kubernetes plugin. */
  noRecursion: number
  /** Smallest TTL of its responses: 64 means that no router lies between. */
  responseTtl: number
  /** Who asked it, as far as MAX_CLIENTS go. */
  clients: ReadonlySet<AddressId>
  /** The server that it asked last, NONE before. */
  lastServer: AddressId
  /** Clients whose queries had crossed one router when they were seen, as far as MAX_CLIENTS go. */
  routed: ReadonlySet<AddressId>
  /**
   * Answers to clients on the same link as itself, as queries and responses bear the full TTL, since the last one that had crossed a router: behind
   * a service's address one server may be near and another far, and a node's cache may take over an address that was CoreDNS' before.
   */
  sameLink: number
}

// Most addresses only ask, and there are many: they share what is empty.
const NO_COUNTS: ReadonlyMap<AddressId, number> = new Map()
const NOBODY: ReadonlySet<AddressId> = new Set()

/** The counts with one more of that address. */
export function counted(counts: ReadonlyMap<AddressId, number>, address: AddressId): ReadonlyMap<AddressId, number> {
  if (counts === NO_COUNTS) return new Map([[address, 1]])
  return (counts as Map<AddressId, number>).set(address, (counts.get(address) ?? 0) + 1)
}

/** The addresses and that one, as far as `most` go. */
export function withOne(some: ReadonlySet<AddressId>, address: AddressId, most: number): ReadonlySet<AddressId> {
  if (some === NOBODY) return new Set([address])
  return some.size < most ? (some as Set<AddressId>).add(address) : some
}

export const newDoings = (): Doings => ({
  asked: 0,
  served: 0,
  wentOut: 0,
  cameIn: 0,
  overTcp: 0,
  connections: 0,
  masks: 0,
  forOthers: 0,
  clusterForOthers: 0,
  deniedForOthers: 0,
  translatedTo: NO_COUNTS,
  standsFor: NO_COUNTS,
  clusterAuthority: 0,
  clusterAnswers: 0,
  clusterFound: 0,
  otherAnswers: 0,
  clusterUnseen: 0,
  noRecursion: 0,
  responseTtl: 0,
  clients: NOBODY,
  lastServer: NONE,
  routed: NOBODY,
  sameLink: 0,
})

/** Whom an address stood for, or was translated to, most often; null where it never was. */
export function mostFrequent(map: ReadonlyMap<AddressId, number>): AddressId | null {
  let best: AddressId | null = null
  let most = 0
  for (const [key, n] of map) {
    if (n > most) {
      best = key
      most = n
    }
  }
  return best
}
