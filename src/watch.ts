/**
 * Looking on while captures are read, live ones above all: every lookup as soon as it is over, a short report per span, or what a screen
 * shows at any moment. All of it ends with the report of the whole.
 */
import { analyze, type Options, type View } from './analyze.ts'
import { type AddressId, type Capture, failuresOf, type Outcome, type Time } from './model.ts'
import { glanceOf } from './report/glance.ts'
import type { LookupRecord } from './report/record-types.ts'
import { endpointOf, lookupRecord, timeOf } from './report/records.ts'
import type { Glance, Report } from './report/report-types.ts'
import type { Failure, Watched } from './report/screen.ts'
import { BROKEN_OUTCOMES } from './report/words.ts'
import type { Lookup } from './trace/lookup.ts'
import { Intervals, Recent } from './trace/recent.ts'
import { wastedOf } from './trace/sums.ts'

/** Hands over every lookup when it is over: one that waits for an answer comes after others that began later. */
export function watchLookups(options: Options, sink: (record: LookupRecord) => void): Promise<Report> {
  let view: View
  return analyze(options, {
    onlooker: {
      detailed: true,
      begin: whole => {
        view = whole
      },
      lookup: (lookup, waste, inward) => sink(lookupRecord(view.context, lookup, waste, inward)),
      hop: () => {},
      settled: () => {},
    },
  })
}

/** Hands over what each span of `seconds` came to, on the capture's clock and in its order, once nothing of it can come any more. */
export function watchIntervals(options: Options, seconds: number, sink: (glance: Glance) => void): Promise<Report> {
  let view: View
  let dropped = 0
  const intervals = new Intervals(seconds * 1e9, (sums, start, end) => {
    const { trace, context, captures } = view
    const before = dropped
    dropped = droppedOf(captures) ?? 0
    const ofThese = droppedOf(captures) === null ? null : dropped - before
    sink(glanceOf(trace, context, sums, { start, end }, ofThese))
  })
  return analyze(options, {
    onlooker: {
      detailed: false,
      begin: whole => {
        view = whole
      },
      lookup: (lookup, waste, inward) => intervals.addLookup(lookup, waste, inward),
      hop: hop => intervals.addHop(hop),
      settled: before => intervals.settled(before),
    },
  })
}

export interface Watching {
  /** What there is to be seen now. */
  look: () => Watched
  report: Promise<Report>
}

/** Begins to read; whoever has a screen looks now and then. */
export function watch(options: Options): Watching {
  let view: View | null = null
  const recent = new Recent()
  const failures = new Failures()
  const report = analyze(options, {
    onlooker: {
      detailed: false,
      begin: whole => {
        view = whole
      },
      lookup: (lookup, waste, inward) => {
        const { now } = (view as View).trace.matching
        recent.addLookup(now, lookup, waste, inward)
        failures.add(lookup)
      },
      hop: hop => recent.addHop((view as View).trace.matching.now, hop),
      settled: () => {},
    },
  })
  return { look: () => watched(options.files, view, recent, failures), report }
}

function watched(files: readonly string[], view: View | null, recent: Recent, failures: Failures): Watched {
  if (view === null || view.trace.matching.origin === null) {
    const captures = view?.captures ?? []
    return { files, captures, seconds: 0, lookups: 0, failed: 0, queries: 0, wasted: 0, recent: null, failures: [] }
  }
  const { trace, context, captures } = view
  const { now } = trace.matching
  const { sums, begun } = recent.sums(now)
  const { lookups, total } = trace.sums
  return {
    files,
    captures,
    seconds: now / 1e9,
    lookups,
    failed: failuresOf(trace.sums.outcomes),
    queries: total.sums.queries,
    wasted: wastedOf(total.sums),
    recent: glanceOf(trace, context, sums, { start: begun, end: Math.max(now, begun + 1e9) }, droppedOf(captures)),
    failures: failures.latest.map(
      ({ start, client, name, outcome, waitMs }): Failure => ({
        start: timeOf(context, start),
        client: endpointOf(context, client, trace.endpoints.clientRole(client).role),
        name,
        outcome,
        waitMs,
      }),
    ),
  }
}

/** Null where no format of these tells. */
function droppedOf(captures: readonly Capture[]): number | null {
  let sum: number | null = null
  for (const { dropped } of captures) if (dropped !== null) sum = (sum ?? 0) + dropped
  return sum
}

interface Failed {
  start: Time
  client: AddressId
  name: string
  outcome: Outcome
  waitMs: number | null
}

/** The latest lookups that failed. Names that do not exist are many, and must not hide who got no answer at all. */
class Failures {
  private static readonly MOST = 20
  private broken: Failed[] = []
  private negative: Failed[] = []

  add(lookup: Lookup): void {
    const { outcome, start, client, base, wait } = lookup
    const broken = BROKEN_OUTCOMES.has(outcome)
    if (!broken && outcome !== 'nxdomain') return
    const list = broken ? this.broken : this.negative
    list.push({ start, client, name: base, outcome, waitMs: Number.isNaN(wait) ? null : wait / 1e6 })
    if (list.length > Failures.MOST) list.shift()
  }

  /** Those that got no answer first, of each sort the latest first. */
  get latest(): Failed[] {
    return [...this.broken.toReversed(), ...this.negative.toReversed()]
  }
}
