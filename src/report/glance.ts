/** Sums over a span of a capture become a record: what `dnstrail watch` tells of it. */
import { failuresOf, type Time } from '../model.ts'
import type { Sums } from '../trace/sums.ts'
import type { Trace } from '../trace/trace.ts'
import { edgesOf, quantiles, wasteOf } from './assemble.ts'
import type { EndpointRecord } from './record-types.ts'
import { endpointOf, type RecordContext, timeOf } from './records.ts'
import type { Glance } from './report-types.ts'

export function glanceOf(
  trace: Trace,
  context: RecordContext,
  sums: Sums,
  span: { start: Time; end: Time },
  dropped: number | null,
): Glance {
  const waste = wasteOf(trace, context, sums)
  return {
    start: timeOf(context, span.start),
    end: timeOf(context, span.end),
    seconds: (span.end - span.start) / 1e9,
    lookups: sums.lookups,
    outcomes: sums.outcomes,
    failed: failuresOf(sums.outcomes),
    wait: quantiles(sums.wait),
    edges: edgesOf(trace, context, sums),
    waste,
    clients: clientsOf(trace, context, sums, new Set(waste.byClient.map(({ key }) => key))),
    dropped,
  }
}

function clientsOf(trace: Trace, context: RecordContext, sums: Sums, wanted: ReadonlySet<string>): EndpointRecord[] {
  return [...sums.byClient.keys()]
    .filter(client => wanted.has(context.tables.addresses.text(client)))
    .map(client => endpointOf(context, client, trace.endpoints.clientRole(client).role))
}
