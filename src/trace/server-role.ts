/** Who a server is, from what it was seen to do: the certain rules first. */
import type { Role } from '../model.ts'
import { WELL_KNOWN } from '../well-known.ts'
import { FULL_TTL } from './arrivals.ts'
import type { Doings } from './doings.ts'
import type { KnownAs } from './known-as.ts'
import { isLoopback } from './networks.ts'

export interface RoleEvidence {
  role: Role
  evidence: string[]
}

/** What is known of a server beside what it did itself. Addresses as text. */
export interface ServerFacts {
  address: string
  knownAs: KnownAs | null
  zone: string | null
  /** The service that it serves, behind DNAT. */
  service: string | null
  /** The addresses other than its own from which it asks for its clients. */
  sources: readonly string[]
  /** It asks on for services of the cluster. */
  forwardsServices: boolean
  /** A forwarder of another address asks it. */
  servesForwarder: () => boolean
}

/** Null where what it did does not tell: then who asks it may (an upstream). */
export function serverRoleOf(d: Doings, facts: ServerFacts): RoleEvidence | null {
  const { address, knownAs, zone, service, sources, forwardsServices, servesForwarder } = facts
  if (WELL_KNOWN.get(address)?.role === 'upstream' && knownAs)
    return { role: 'upstream', evidence: [knownAs.because, ...servesCluster(d, zone)] }
  const authority = d.clusterAnswers > 0 && (d.noRecursion > 0 || d.clusterAuthority > d.clusterAnswers / 2)
  // What knows the cluster's names itself on a loopback is the server behind dnsmasq in a pod of kube-dns, or CoreDNS at its own check.
  if (isLoopback(address) && (sources.length > 0 || !authority)) return hostResolver(facts)
  if (forwardsServices && sources.length > 0 && sources.every(isLoopback)) {
    const evidence = [
      `passes names of ${zone ?? 'services'} on to a server on its own loopback, as dnsmasq of kube-dns does`,
    ]
    return {
      role: 'coredns',
      evidence: service ? [...evidence, `serves what is asked of ${service} (DNAT)`] : evidence,
    }
  }
  if (forwardsServices) {
    const from = sources.length > 0 ? sources.join(', ') : address
    const evidence = [`asked for a name of ${zone ?? 'a service'} that it does not know, it asks on from ${from}`]
    if (service) evidence.push(`serves what is asked of ${service} (DNAT)`)
    return { role: 'node-local-cache', evidence: [...evidence, ...named(facts)] }
  }
  if (address.startsWith('169.254.'))
    return { role: 'node-local-cache', evidence: ['answers on a link-local address', ...named(facts)] }
  // A node-local cache asks from its node's address; what asks from its own is a pod that was captured itself, and what a cache asks is
  // CoreDNS on the same node. Nor does anybody ask a cache from behind a router.
  const isNear = d.sameLink > d.clusterAnswers / 2 && d.routed.size === 0
  if (!service && authority && d.asked === 0 && isNear && !servesForwarder()) {
    const near = `answers names of ${zone} from the client's own node: no router lowered the TTL of its answers`
    return { role: 'node-local-cache', evidence: [near] }
  }
  if (service || authority) {
    const evidence: string[] = []
    if (authority) evidence.push(`answers names of ${zone} with authority`)
    if (service) evidence.push(`serves what is asked of ${service} (DNAT)`)
    else if (d.responseTtl > 0 && d.responseTtl < FULL_TTL)
      evidence.push(
        `its answers crossed ${FULL_TTL - d.responseTtl} router${FULL_TTL - d.responseTtl > 1 ? 's' : ''} (TTL ${d.responseTtl})`,
      )
    if (sources.length > 0) evidence.push(`asks upstream from ${sources.join(', ')}`)
    return { role: 'coredns', evidence }
  }
  // From queries alone: a cache would ask on for these as well.
  if (d.clusterUnseen >= ENOUGH_UNSEEN && d.asked >= ENOUGH_UNSEEN && d.clusterAnswers + d.otherAnswers === 0)
    return { role: 'coredns', evidence: [`is asked for names of ${zone}, and asks others for the rest alone`] }
  if (sources.length > 0) return { role: 'node-local-cache', evidence: [passesOn(sources)] }
  return null
}

/** Queries whose answers were not captured, that a server got and that it sent. */
const ENOUGH_UNSEEN = 10

/** Where no name of a cluster was seen, so many answers to others make an upstream. */
const FEW_ANSWERS = 3

/** Who a server is that did nothing of its own: by who asks it, whose roles are known. */
export function roleByAskers(
  d: Doings,
  askers: readonly { address: string; role: Role | null }[],
  zone: string | null,
  known: KnownAs | null,
): RoleEvidence {
  const named = (roles: readonly (Role | null)[]): string =>
    [...new Set(askers.filter(({ role }) => roles.includes(role)).map(({ address }) => address))].join(', ')
  const caches = named(['node-local-cache'])
  // From queries alone: a cache has nobody else to ask for these.
  if (caches !== '' && d.clusterUnseen > 0 && d.clusterAnswers + d.otherAnswers === 0)
    return { role: 'coredns', evidence: [`asked by ${caches} for names of ${zone}; its answers were not captured`] }
  const forwarders = named(['coredns', 'node-local-cache', 'host-resolver'])
  if (forwarders !== '') {
    const evidence = [`asked by ${forwarders} for names that it does not know itself`]
    return { role: 'upstream', evidence: known ? [...evidence, known.because] : evidence }
  }
  if (d.clusterAuthority === 0 && d.otherAnswers >= (zone === null ? FEW_ANSWERS : 1)) {
    const answered = `answered ${d.otherAnswers} names`
    return { role: 'upstream', evidence: [zone ? `${answered}, none of ${zone} with authority` : answered] }
  }
  return { role: 'unknown', evidence: ['neither what it answers nor who asks it shows what it is'] }
}

/** For the processes of one host, or of one pod: what it is asked elsewhere leaves with the same question. */
function hostResolver(facts: ServerFacts): RoleEvidence {
  const evidence = ["answers on the asker's own loopback", ...named(facts)]
  if (facts.sources.length > 0) evidence.push(passesOn(facts.sources))
  return { role: 'host-resolver', evidence }
}

const passesOn = (sources: readonly string[]): string =>
  `what it is asked leaves ${sources.join(', ')} with the same question while the client waits`

const named = ({ knownAs }: ServerFacts): string[] => (knownAs ? [knownAs.because] : [])

/** Cloud DNS in place of kube-dns: what the cloud's resolver says of services exists nowhere but in the cluster's own zone. */
const servesCluster = ({ clusterFound }: Doings, zone: string | null): string[] =>
  clusterFound > 0 ? [`knows names of ${zone} itself: it is the cluster's own DNS`] : []
