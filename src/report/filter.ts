/** The user's filters, as one question about a lookup. */
import { UserError } from '../model.ts'
import type { Lookup } from '../trace/lookup.ts'
import { endpointOf, type RecordContext } from './records.ts'

export interface Filters {
  namespace: string | null
  pod: string | null
  name: string | null
  since: string | null
  until: string | null
}

/** True for the lookups that the user wants. Throws a UserError where a time is none. */
export function lookupFilter(filters: Filters, context: RecordContext): (lookup: Lookup) => boolean {
  const since = instant(filters.since, '--since')
  const until = instant(filters.until, '--until')
  const name = filters.name?.toLowerCase().replace(/\.$/, '') ?? null
  if (!Object.values(filters).some(filter => filter !== null)) return () => true
  return lookup => {
    const seconds = context.origin() + lookup.start / 1e9
    if (since !== null && seconds < since) return false
    if (until !== null && seconds > until) return false
    if (
      name !== null &&
      lookup.base !== name &&
      !lookup.base.endsWith(`.${name}`) &&
      !lookup.alternatives.includes(name)
    )
      return false
    if (filters.namespace === null && filters.pod === null) return true
    const client = endpointOf(context, lookup.client, context.endpoints.clientRole(lookup.client).role)
    if (filters.namespace !== null && client.namespace !== filters.namespace) return false
    return filters.pod === null || [client.pod, client.workload, client.address].includes(filters.pod)
  }
}

/** Seconds since 1970; null where nothing was given. */
function instant(text: string | null, option: string): number | null {
  if (text === null) return null
  const milliseconds = Date.parse(text)
  if (Number.isNaN(milliseconds)) throw new UserError(`${option} ${text}: not a time such as 2026-11-21T03:20:47Z.`)
  return milliseconds / 1000
}
