/** What to call the servers of one lookup: by their role where that tells them apart, else by role and address. */
import { WELL_KNOWN } from '../../well-known.ts'
import type { HopRecord } from '../record-types.ts'
import { ROLE_WORDS } from '../words.ts'

export type ServerName = (hop: HopRecord) => string

export function serverNames(hops: readonly HopRecord[]): ServerName {
  const addresses = new Map<string, Set<string>>()
  for (const { to } of hops) addresses.set(to.role, (addresses.get(to.role) ?? new Set()).add(to.address))
  return ({ to }) => {
    if (to.role === 'unknown') return to.address
    return addresses.get(to.role)?.size === 1 ? ROLE_WORDS[to.role] : `${ROLE_WORDS[to.role]} ${to.address}`
  }
}

/** "CoreDNS 10.244.1.5, asked as 10.96.0.10": one sentence a server, in the order in which they were asked first. */
export function serverSentences(hops: readonly HopRecord[]): string[] {
  const asked = new Map<string, Set<string>>()
  for (const { to } of hops) {
    const identity =
      to.pod ?? (to.role === 'node-local-cache' ? to.node : null) ?? WELL_KNOWN.get(to.address)?.name ?? null
    const server = `${to.role === 'unknown' ? 'role unknown:' : ROLE_WORDS[to.role]} ${to.address}${identity === null ? '' : ` (${identity})`}`
    const names = asked.get(server) ?? new Set()
    if (to.asked !== to.address) names.add(to.asked)
    asked.set(server, names)
  }
  return [...asked].map(([server, names]) =>
    names.size === 0 ? server : `${server}, asked as ${[...names].join(', ')}`,
  )
}
