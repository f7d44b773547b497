/** Who an address is that asks for others, none of whom was captured: NodeLocal DNSCache of another node, or CoreDNS seen from an upstream. */
import type { Role } from '../model.ts'
import type { Doings } from './doings.ts'

/** So many names that only search lists make show a cache that pods ask. */
const ENOUGH_DENIED = 3

/** `shows`: how it shows that it asks for others. */
export function forwarderRoleOf(
  { clusterForOthers, deniedForOthers }: Doings,
  zone: string | null,
  shows: string,
): { role: Role; evidence: string[] } {
  if (deniedForOthers >= ENOUGH_DENIED) {
    const names = `asks for names of ${zone} that do not exist (${deniedForOthers} times), as the search lists of pods make them: they ask it in place of CoreDNS`
    return { role: 'node-local-cache', evidence: [shows, names] }
  }
  const reason =
    clusterForOthers > 0
      ? `NodeLocal DNSCache, or the CoreDNS of another cluster: of ${zone} it asks for names that exist`
      : 'CoreDNS or NodeLocal DNSCache: which of them it is, and who asked it, was not captured'
  return { role: 'unknown', evidence: [shows, reason] }
}
