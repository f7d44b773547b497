/** What a client is, from what it was seen to do and where it stands: a pod, a host, or a server that asks for itself. */
import type { Doings } from './doings.ts'
import { isLoopback, isNodesOwn, networkOf, type PodNetworks } from './networks.ts'
import type { RoleEvidence } from './server-role.ts'

/** What others know of it. */
export interface ClientFacts {
  address: string
  /** What it is as a server. */
  asServer: RoleEvidence
  /** Where the forwarders answer that ask from it, too. */
  forwarders: readonly string[]
  /** The domain of a namespace that it searches; null without. */
  searches: string | null
  /** By network a node's address in it. */
  hostNetworks: ReadonlyMap<string, string>
  /** Those of the CoreDNS pods. */
  podNetworks: PodNetworks
  /** Nobody else asks in the captures in which its queries begin, and there is a cluster. */
  isAlone: () => boolean
  /** How many that search a namespace's domain are in its network. */
  podsBeside: () => number
  /** An upstream beside which it stands and which its queries reach by way of a router; null where there is none. */
  masqueradesTo: () => string | null
}

/** Networks of pods are given to nodes as a whole; where pods and nodes share one, nodes show there, too. */
const ENOUGH_BESIDE = 3

/** Rules, the certain ones first. */
export function clientRoleOf(d: Doings, facts: ClientFacts): RoleEvidence {
  const { address, asServer, forwarders, searches } = facts
  if (isLoopback(address)) return host('asks over its loopback')
  if (asServer.role !== 'unknown' && d.served > 0) {
    // A cache in a pod of its own stands behind DNAT (Cilium's Local Redirect Policy); the others share their node's network.
    if (address.startsWith('169.254.') || (asServer.role === 'node-local-cache' && d.standsFor.size === 0))
      return host(`asks from ${address}, an address of its own host`)
    return { role: asServer.role, evidence: asServer.evidence }
  }
  if (d.masks > 0) return host('pods are masqueraded behind it (SNAT)')
  if (forwarders.length > 0) return host(`the forwarder at ${forwarders.join(', ')} asks from it too`)
  if (searches !== null && d.cameIn === 0 && d.wentOut > 0 && facts.podNetworks.isBeside(address))
    return unknown(
      `searches ${searches} beside the CoreDNS pods, but was seen only on its way to them: a pod there or this host`,
    )
  if (d.wentOut > d.cameIn && facts.isAlone())
    return searches !== null
      ? { role: 'pod', evidence: [`searches ${searches}, alone in its capture: taken in its pod`] }
      : unknown('alone in its capture: taken in its pod, or on a host where nobody else asks')
  if (d.wentOut > d.cameIn) return host('its queries begin on the host that was captured')
  const neighbour = facts.hostNetworks.get(networkOf(address))
  if (neighbour !== undefined) return host(`in the network of ${neighbour}, which is a node's address`)
  if (/^\d+\.\d+\.\d+\.0$/.test(address)) return host("first address of a node's pod network: an overlay's own")
  // A stub resolver opens a connection per candidate; NodeLocal DNSCache keeps a few for many, and walks no list of its own.
  if (searches === null && d.overTcp >= 10 && d.connections < 0.2 * d.overTcp)
    return host('keeps TCP connections for many queries, as NodeLocal DNSCache does from its node')
  const upstream = facts.masqueradesTo()
  if (upstream !== null)
    return host(`in one network with ${upstream}, and yet its queries crossed a router: pods are behind it`)
  if (searches !== null && facts.podNetworks.isFar(address))
    return unknown(`searches ${searches}, but is in another network than the CoreDNS pods`)
  if (searches !== null) return { role: 'pod', evidence: [`searches ${searches}`] }
  if (d.cameIn > 0 && d.clusterAnswers === 0)
    return { role: 'pod', evidence: ["its queries come in through a pod's interface"] }
  const pods = isNodesOwn(address) ? 0 : facts.podsBeside()
  if (pods >= ENOUGH_BESIDE)
    return { role: 'pod', evidence: [`${pods} pods that search are in its network, and no node`] }
  return unknown('no search list, interface or translation shows whether it is a pod or a host')
}

const host = (evidence: string): RoleEvidence => ({ role: 'host', evidence: [evidence] })

const unknown = (evidence: string): RoleEvidence => ({ role: 'unknown', evidence: [evidence] })
