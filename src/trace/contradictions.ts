/** Where the packets contradict what the user, or the user's files, say of an address. Only what is beyond doubt counts. */
import type { AddressId, Role } from '../model.ts'

/** So many answers are no accident. */
const ENOUGH = 3

/** What the user says an address is, and with which option: "--resources", "--role". */
export interface Hint {
  address: AddressId
  role: Role
  from: string
}

/** What an address did, as far as it can contradict a role. */
export interface Deeds {
  /** Names of the cluster that it answered with authority, and what it asked. */
  clusterAuthority: number
  asked: number
  /** It asked on for services of the cluster, which CoreDNS knows itself. */
  forwardsServices: boolean
  /** What it is known as all over the world; null for most. */
  knownAs: string | null
}

export interface Contradiction {
  address: AddressId
  given: Role
  /** Behind "but it ...". */
  but: string
}

/** What an address does that no such server or client would; null where the role may well be right. */
export function contradictionOf(given: Role, zone: string | null, deeds: Deeds): string | null {
  const { clusterAuthority, asked, forwardsServices, knownAs } = deeds
  const names = `names of ${zone ?? 'the cluster'}`
  if (given === 'upstream' && clusterAuthority >= ENOUGH)
    return `answered ${clusterAuthority} ${names} with authority, as CoreDNS does`
  if ((given === 'pod' || given === 'host') && clusterAuthority >= ENOUGH && asked === 0)
    return `only answers, ${clusterAuthority} ${names} with authority among them`
  if (given === 'coredns' && forwardsServices) return `asks others for ${names}, as a node-local cache does`
  if ((given === 'coredns' || given === 'node-local-cache') && knownAs !== null) return `is ${knownAs}`
  return null
}
