/** What a replay must know of a trace that has read everything. */
import type { AddressId } from '../model.ts'
import type { Seen } from '../trace/replay.ts'
import type { Trace } from '../trace/trace.ts'
import type { RecordContext } from './records.ts'

export function seenOf(trace: Trace, context: RecordContext): Seen {
  const servedBy = new Map<AddressId, AddressId[]>()
  for (const { address, translatedTo } of trace.endpoints.list) servedBy.set(address, [...translatedTo.keys()])
  const isCoredns = (address: AddressId): boolean => trace.endpoints.serverRole(address).role === 'coredns'
  return {
    walks: trace.walks,
    searchLists: trace.searchLists,
    names: context.tables.names,
    zone: trace.endpoints.clusterDomain,
    isCoredns: asked => isCoredns(asked) || (servedBy.get(asked) ?? []).some(isCoredns),
  }
}
