/** Single changes of the pods' configuration, tried one after the other on the walks of the capture: what each would save and break. */
import type { Time } from '../model.ts'
import { type Change, NO_CHANGE } from './change.ts'
import type { Replay } from './replay.ts'
import { mayExistOutside } from './special-names.ts'

/** The largest first: of what saves as much the smallest change is the best. */
const NDOTS = [3, 2, 1]
/** Search domains that are tried to be left out, those that cost most. */
const MAX_SUFFIXES = 3

export interface Trial {
  change: Change
  /** Less than now; negative where the change costs more. */
  queries: number
  /** NaN where unknown. */
  bytes: number
  wait: Time
  /** Names that are answered now and would not be. */
  stops: string[]
  /** Names that only a search domain answers now, and that would be asked on the Internet first, where another name may answer. */
  outside: string[]
}

/** All that save something, those that break nothing first, then by what they save. */
export function trials(replay: Replay): Trial[] {
  return changesOf(replay)
    .map(change => trialOf(replay, change))
    .filter(({ queries }) => queries > 0)
    .sort((a, b) => Number(isSafe(b)) - Number(isSafe(a)) || b.queries - a.queries)
}

const isSafe = ({ stops, outside }: Trial): boolean => stops.length === 0 && outside.length === 0

/** Search domains of the cluster itself are not tried: what needs them may just not have been asked for. */
function changesOf({ readings, seen }: Replay): Change[] {
  const suffixes = new Map<string, number>()
  const names = new Map<string, number>()
  for (const { walk, base } of readings) {
    let wasted = 0
    for (let i = 0; i < walk.suffixes.length; i++) {
      const suffix = walk.suffixes[i]
      if (suffix === null || walk.outcomes[i] === 'answered') continue
      wasted += walk.queriesAt(i)
      suffixes.set(suffix, (suffixes.get(suffix) ?? 0) + walk.queriesAt(i))
    }
    // A dot helps a name that is found as it is.
    if (wasted > 0 && base !== null && walk.suffixes.at(-1) === null && walk.outcome === 'answered')
      names.set(base, (names.get(base) ?? 0) + wasted)
  }
  for (const suffix of suffixes.keys()) if (seen.zone !== null && suffix.endsWith(seen.zone)) suffixes.delete(suffix)
  const most = (sums: Map<string, number>, n: number): string[] =>
    [...sums]
      .sort((a, b) => b[1] - a[1])
      .slice(0, n)
      .map(([key]) => key)
  return [
    ...NDOTS.map(ndots => ({ ...NO_CHANGE, ndots })),
    ...most(suffixes, MAX_SUFFIXES).map(suffix => ({ ...NO_CHANGE, dropSuffix: [suffix] })),
    ...most(names, 1).map(name => ({ ...NO_CHANGE, trailingDot: [name] })),
  ]
}

function trialOf(replay: Replay, change: Change): Trial {
  const trial = { change, queries: 0, bytes: 0, wait: 0 }
  const stops = new Set<string>()
  const outside = new Set<string>()
  replay.eachChanged(change, ({ walk, base }, sums) => {
    trial.queries += walk.queries - sums.queries
    trial.bytes += walk.bytes - sums.bytes
    trial.wait += walk.wait - sums.wait
    if (walk.outcome !== 'answered') return
    const name = base ?? '(a name that was not kept)'
    if (!sums.answered) stops.add(name)
    else if (sums.asIsAssumed && mayExistOutside(name)) outside.add(name)
  })
  return { ...trial, stops: [...stops], outside: [...outside] }
}
