/**
 * The clocks of several captures: before they are merged by time, each is read once for a sample of its transactions, and those that
 * two captures share tell how far one clock is ahead of the other. The first capture's clock is the run's; the others are brought to it
 * along the pairs that tell the most. Where a clock was set meanwhile that is taken back first (clock-steps.ts). What cannot be read
 * twice, or shares nothing, keeps its own time. The samples also tell which
 * capture saw nothing that another one did not see as well (nesting.ts).
 */
import { type ClockRecord, type Messages, type Time, UserError } from '../model.ts'
import { Issues } from '../wire/issues.ts'
import { newTables } from '../wire/tables.ts'
import { sizeOfFile } from './chunks.ts'
import { type ClockFit, fitClock } from './clock-fit.ts'
import { ClockSample } from './clock-sample.ts'
import { type ClockStep, type Jump, jumpsOf, Leaps, type Shared, stepOf } from './clock-steps.ts'
import { DecoderThreads } from './decoder-threads.ts'
import { nested } from './nesting.ts'
import type { ReadOptions } from './read.ts'

/** Transactions that are kept of all captures together, and of one. */
const MOST_OF_ALL = 400_000
const MOST_OF_ONE = 50_000

/** A clock is ahead of another by ahead + drift * (time - at), where its own reading is `time`. */
interface Ahead {
  at: Time
  ahead: Time
  drift: number
}

const AGREES: Ahead = { at: 0, ahead: 0, drift: 0 }

/** What one capture's clock was found to be. */
export interface Clock {
  /** What its times are corrected by; null where they stand as they are. Counts from `origin`, whole seconds since 1970. */
  correction: Ahead | null
  /** Where it was set, in the order of its frames; taken back before it is corrected. */
  steps: readonly ClockStep[]
  origin: number
  /** Which capture is to be asked when a client asked and had its answer, where that one saw it too; null for this one. */
  readAt: number | null
  record: ClockRecord
}

/** One of the pairs that share transactions. */
interface Pair {
  a: number
  b: number
  transactions: number
  fit: ClockFit
}

/** Compares the clocks of captures that are given by path. `names`: what to call them in sentences. */
export async function compareClocks(files: string[], names: string[], options: ReadOptions): Promise<Clock[]> {
  const samples: (ClockSample | null)[] = []
  const reasons: (string | null)[] = []
  const spans: Span[] = []
  const leaps: Leaps[] = []
  const most = Math.min(MOST_OF_ONE, Math.ceil(MOST_OF_ALL / files.length))
  const shared = { tables: newTables(), origin: null as number | null }
  const again = await Promise.all(files.map(async file => (await sizeOfFile(file)) !== null))
  for (const [i, file] of files.entries()) {
    const sample = again[i] ? new ClockSample(most) : null
    leaps.push(new Leaps())
    spans.push(
      sample ? await take(sample, leaps[i], file, i, shared, options) : { first: Number.NaN, last: Number.NaN },
    )
    samples.push(sample)
    reasons.push(
      again[i] ? null : 'It can be read only once, so its clock was not compared: give captures as files for that.',
    )
  }
  const steps = undoSteps(samples, leaps)
  for (const [i, span] of spans.entries()) for (const { by } of steps[i]) span.last -= by
  const bounds = sharedBounds(samples)
  const clocks = clocksOf(fits(bounds, files.length), names, spans, shared.origin ?? 0)
  for (const [i, clock] of clocks.entries()) noteSteps(clock, steps[i])
  const runTime = (file: number, time: Time): Time => time - aheadAt(clocks[file].correction ?? AGREES, time)
  const isDuring = (file: number, time: Time, other: number): boolean => {
    const { first, last } = spans[other]
    return runTime(file, time) >= runTime(other, first) && runTime(file, time) <= runTime(other, last)
  }
  for (const [i, other] of nested(samples, bounds, isDuring).entries()) clocks[i].readAt = other
  for (const [i, clock] of clocks.entries()) clock.record.note ??= reasons[i]
  return clocks
}

/** A capture's first and last message by its own clock; NaN without. */
interface Span {
  first: Time
  last: Time
}

/** Reads a capture into its sample. What cannot be read the real pass will say. */
async function take(
  sample: ClockSample,
  leaps: Leaps,
  file: string,
  index: number,
  shared: { tables: ReadOptions['tables']; origin: number | null },
  options: ReadOptions,
): Promise<Span> {
  const span = { first: Number.NaN, last: Number.NaN }
  try {
    const its = {
      ...options,
      keepBytes: false,
      tables: shared.tables,
      issues: new Issues(),
      flows: undefined,
      onProgress: undefined,
    }
    const reader = await new DecoderThreads(1, its).open(file, index)
    try {
      // Flows have their nodes' clocks, many in one file.
      while (reader.capture.lines === null && (await reader.next())) {
        const { messages } = reader
        for (let row = 0; row < messages.length; row++) {
          shared.origin ??= messages.seconds[row]
          const time = (messages.seconds[row] - shared.origin) * 1e9 + messages.nanos[row]
          if (Number.isNaN(span.first)) span.first = time
          span.last = time
          leaps.add(messages.frame[row], time)
          sample.add(messages, row, time)
        }
      }
    } finally {
      await reader.close()
    }
  } catch (error) {
    if (!(error instanceof UserError)) throw error
  }
  return span
}

/** Finds where each capture's clock was set, and takes it back in its sample. */
function undoSteps(samples: (ClockSample | null)[], leaps: Leaps[]): ClockStep[][] {
  const steps: ClockStep[][] = samples.map(() => [])
  // What one clock's steps did to the pairs that it is part of is gone when they are taken back: each round one clock at least.
  for (let round = 0; round < samples.length; round++) {
    const found = firstJumps(sharedBounds(samples))
    if (found === null) break
    const files = [Math.floor(found.pair / samples.length), found.pair % samples.length] as const
    for (const jump of found.jumps) {
      const { which, step } = stepOf(jump, [leaps[files[0]], leaps[files[1]]])
      samples[files[which]]?.undo(step)
      steps[files[which]].push(step)
    }
  }
  return steps.map(own => own.sort((a, b) => a.frame - b.frame))
}

/** The jumps of the pair that shares most of all that have any. */
function firstJumps(byPair: Map<number, Shared[]>): { pair: number; jumps: Jump[] } | null {
  for (const [pair, bounds] of [...byPair].sort((a, b) => b[1].length - a[1].length)) {
    const jumps = jumpsOf(bounds)
    if (jumps.length > 0) return { pair, jumps }
  }
  return null
}

/** By pair of captures, what their common transactions say. */
function sharedBounds(samples: (ClockSample | null)[]): Map<number, Shared[]> {
  const byKey = new Map<number, { file: number; query: Time; response: Time; frame: number }[]>()
  const byPair = new Map<number, Shared[]>()
  for (const [file, sample] of samples.entries()) {
    sample?.whole((key, query, response, frame) => {
      const others = byKey.get(key)
      if (!others) {
        byKey.set(key, [{ file, query, response, frame }])
        return
      }
      for (const other of others) {
        const pair = other.file * samples.length + file
        let bounds = byPair.get(pair)
        if (!bounds) {
          bounds = []
          byPair.set(pair, bounds)
        }
        const atQuery = query - other.query
        const atResponse = response - other.response
        bounds.push({
          time: other.query,
          low: Math.min(atQuery, atResponse),
          high: Math.max(atQuery, atResponse),
          frames: [other.frame, frame],
        })
      }
      others.push({ file, query, response, frame })
    })
  }
  return byPair
}

function fits(byPair: Map<number, Shared[]>, count: number): Pair[] {
  const pairs: Pair[] = []
  for (const [key, bounds] of byPair) {
    const fit = fitClock(bounds)
    if (fit) pairs.push({ a: Math.floor(key / count), b: key % count, transactions: bounds.length, fit })
  }
  return pairs.sort((a, b) => a.fit.uncertainty - b.fit.uncertainty)
}

/** What is known of a capture's clock while the others are brought to it. */
interface Known {
  root: number
  /** Against the root's clock: as it was measured, and the part by which it is corrected. */
  measured: Ahead
  correction: Ahead
  uncertainty: Time
  driftUncertainty: number | null
  transactions: number
  uneven: boolean
}

/** Brings each clock to the first capture's, the surest pairs first. Captures that share nothing with it have a clock of their own. */
function clocksOf(pairs: Pair[], names: string[], spans: Span[], origin: number): Clock[] {
  const known: (Known | null)[] = names.map(() => null)
  for (let root = 0; root < names.length; root++) {
    if (known[root]) continue
    known[root] = {
      root,
      measured: AGREES,
      correction: AGREES,
      uncertainty: 0,
      driftUncertainty: 0,
      transactions: 0,
      uneven: false,
    }
    for (;;) {
      const next = pairs.find(({ a, b }) => (known[a] === null) !== (known[b] === null))
      if (next === undefined) break
      const [child, parent] = known[next.a] ? [next.b, next.a] : [next.a, next.b]
      known[child] = broughtTo(known[parent] as Known, next, parent === next.a, spans[child].first)
    }
  }
  return known.map((clock, i) => {
    const { root } = clock as Known
    // Files of a ring-buffer set follow one another: there is nothing to compare.
    const isAside = root === i && known.slice(0, i).some((_, other) => overlap(spans[i], spans[other]))
    return clockOf(clock as Known, names[root], spans[i].first, origin, root === i, isAside ? names[0] : null)
  })
}

const overlap = (a: Span, b: Span): boolean => a.first <= b.last && b.first <= a.last

/** `first`: the time of the child's first message. */
function broughtTo(parent: Known, { fit, transactions }: Pair, childIsLater: boolean, first: Time): Known {
  const step = aheadOf(fit, childIsLater)
  const uncertainty = parent.uncertainty + fit.uncertainty
  const correction = fit.apart ? chained(step, parent.correction) : parent.correction
  // Two that are both apart from a third may well agree.
  const last = 2 * step.at - first
  const agrees = [first, last].every(time => Math.abs(aheadAt(correction, time)) <= uncertainty)
  return {
    root: parent.root,
    measured: chained(step, parent.measured),
    correction: agrees ? AGREES : correction,
    uncertainty,
    driftUncertainty:
      parent.driftUncertainty === null || fit.driftUncertainty === null
        ? null
        : parent.driftUncertainty + fit.driftUncertainty,
    transactions,
    uneven: parent.uneven || fit.uneven,
  }
}

/** A fit tells of the second clock of its pair at the first one's time; here it is either one's at its own. */
function aheadOf({ at, offset, drift }: ClockFit, isSecond: boolean): Ahead {
  const rate = drift ?? 0
  if (!isSecond) return { at, ahead: -offset, drift: -rate }
  return { at: at + offset, ahead: offset, drift: rate / (1 + rate) }
}

/** Ahead of a clock that is itself ahead of the run's. */
function chained(step: Ahead, parent: Ahead): Ahead {
  return {
    at: step.at,
    ahead: step.ahead + aheadAt(parent, step.at - step.ahead),
    drift: step.drift + parent.drift * (1 - step.drift),
  }
}

const aheadAt = ({ at, ahead, drift }: Ahead, time: Time): Time => ahead + drift * (time - at)

function clockOf(
  known: Known,
  reference: string,
  first: Time,
  origin: number,
  isRoot: boolean,
  apartFrom: string | null,
): Clock {
  const { measured, correction, uncertainty, driftUncertainty, transactions, uneven } = known
  const isCorrected = correction.ahead !== 0 || correction.drift !== 0
  const record: ClockRecord = {
    reference: isRoot ? null : reference,
    transactions,
    offsetMs: isRoot ? null : rounded(aheadAt(measured, Number.isNaN(first) ? measured.at : first) / 1e6),
    uncertaintyMs: isRoot ? null : rounded(uncertainty / 1e6),
    driftPpm: isRoot || driftUncertainty === null ? null : rounded(measured.drift * 1e6),
    driftUncertaintyPpm: isRoot || driftUncertainty === null ? null : rounded(driftUncertainty * 1e6),
    corrected: isCorrected,
    steps: [],
    note: null,
  }
  if (uneven)
    record.note = 'One of the clocks was set or ran unevenly: times of the two captures do not fit together everywhere.'
  else if (apartFrom !== null)
    record.note = `No transaction was seen both here and at ${apartFrom}, so how their clocks differ cannot be known.`
  return { correction: isCorrected ? correction : null, steps: [], origin, readAt: null, record }
}

const rounded = (value: number): number => Math.round(value * 1e4) / 1e4

function noteSteps(clock: Clock, steps: readonly ClockStep[]): void {
  clock.steps = steps
  clock.record.steps = steps.map(({ at, by }) => ({
    time: new Date(clock.origin * 1e3 + at / 1e6).toISOString(),
    ms: rounded(by / 1e6),
  }))
}

/** Brings the times of a block of messages to the run's clock. */
export function correctTimes(m: Messages, { correction, steps, origin }: Clock): void {
  if (correction === null && steps.length === 0) return
  for (let i = 0; i < m.length; i++) {
    let wrong = 0
    for (const { frame, by } of steps) if (m.frame[i] >= frame) wrong += by
    if (correction !== null) wrong += aheadAt(correction, (m.seconds[i] - origin) * 1e9 + m.nanos[i] - wrong)
    const nanos = m.nanos[i] - Math.round(wrong)
    const carry = Math.floor(nanos / 1e9)
    m.seconds[i] += carry
    m.nanos[i] = nanos - carry * 1e9
  }
}
