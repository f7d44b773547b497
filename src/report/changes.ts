/** The single changes of the configuration that would save queries, for the report. */
import { trials } from '../trace/best-change.ts'
import { Replay } from '../trace/replay.ts'
import type { Trace } from '../trace/trace.ts'
import type { RecordContext } from './records.ts'
import { seenOf } from './seen.ts'
import { changeAsOptions, changeInWords } from './what-if/change.ts'
import type { ChangeRow } from './what-if/types.ts'

/** A change that saves less of all queries changes nothing. */
const LEAST_SHARE = 0.02
const MOST_CHANGES = 10
const MOST_NAMES = 20

export function changesOf(trace: Trace, context: RecordContext): ChangeRow[] {
  const { queries } = trace.sums.total.sums
  return trials(new Replay(seenOf(trace, context)))
    .filter(trial => trial.queries >= LEAST_SHARE * queries)
    .slice(0, MOST_CHANGES)
    .map(({ change, queries, bytes, wait, stops, outside }) => ({
      what: changeInWords(change),
      options: changeAsOptions(change),
      queries: Math.round(queries),
      bytes: Number.isFinite(bytes) ? Math.round(bytes) : null,
      waitMs: Math.round(wait / 1e3) / 1e3,
      stops: stops.slice(0, MOST_NAMES),
      outside: outside.slice(0, MOST_NAMES),
    }))
}
