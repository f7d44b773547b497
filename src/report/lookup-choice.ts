/** Which lookups `dnstrail lookups` prints, and in which order: --failed, --slower, --wasteful, --sort and --limit. */
import { isFailure, UserError } from '../model.ts'
import { wasted } from './lookup-columns.ts'
import type { LookupRecord } from './record-types.ts'

export const SORTS = ['start', 'wait', 'waste'] as const
export type Sort = (typeof SORTS)[number]

export interface LookupChoice {
  failed: boolean
  /** Milliseconds; null: any. */
  slower: number | null
  wasteful: boolean
  sort: Sort
  /** How many at most; null: all. */
  limit: number | null
}

/** What was not given leaves nothing out. */
export const lookupChoice = (given: Partial<LookupChoice>): LookupChoice => ({
  failed: false,
  slower: null,
  wasteful: false,
  sort: 'start',
  limit: null,
  ...given,
})

/** What comes first has the greater numbers, compared one after the other; null where lookups leave as they come. */
const RANKS: Record<Sort, ((lookup: LookupRecord) => number[]) | null> = {
  start: null,
  wait: lookup => [lookup.waitMs ?? -1],
  waste: lookup => [wasted(lookup), lookup.waste.waitMs ?? -1],
}

/** True where something leaves lookups out by what they are. */
export const isSelective = (choice: LookupChoice): boolean => choice.failed || choice.wasteful || choice.slower !== null

export interface ChosenLookups {
  add: (lookup: LookupRecord) => void
  /** There are no more: hands over what was kept to be sorted. */
  end: () => void
}

/**
 * Hands the chosen lookups to the sink: in order of start at once, in another order when all are known, for which it keeps `limit` of
 * them, or all where there is no limit.
 */
export function chosenLookups(choice: LookupChoice, sink: (lookup: LookupRecord) => void): ChosenLookups {
  const { limit } = choice
  const rank = RANKS[choice.sort]
  if (rank === null) {
    let count = 0
    return {
      add: lookup => {
        if ((limit !== null && count >= limit) || !isChosen(choice, lookup)) return
        count++
        sink(lookup)
      },
      end: () => {},
    }
  }
  let kept: { lookup: LookupRecord; rank: number[] }[] = []
  // The sort is stable: of equals the earlier one stays first.
  const settle = () => {
    kept.sort((a, b) => compare(b.rank, a.rank))
    if (limit !== null) kept = kept.slice(0, limit)
  }
  return {
    add: lookup => {
      if (!isChosen(choice, lookup)) return
      kept.push({ lookup, rank: rank(lookup) })
      // Twice as many, so that sorting is rare.
      if (limit !== null && kept.length >= 2 * limit + 100) settle()
    },
    end: () => {
      settle()
      for (const { lookup } of kept) sink(lookup)
    },
  }
}

function isChosen({ failed, slower, wasteful }: LookupChoice, lookup: LookupRecord): boolean {
  if (failed && !isFailure(lookup.outcome)) return false
  if (slower !== null && !(lookup.waitMs !== null && lookup.waitMs > slower)) return false
  return !wasteful || wasted(lookup) > 0
}

function compare(a: number[], b: number[]): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i] - b[i]
  return 0
}

const UNITS: Record<string, number> = { us: 0.001, µs: 0.001, ms: 1, s: 1000 }

/** "100ms", "1.5 s", "250us" as milliseconds. */
export function durationOf(text: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)\s*(us|µs|ms|s)$/.exec(text.trim()) ?? []
  if (digits === undefined) throw new UserError(`"${text}" is no duration such as 100ms, 1.5s or 250us.`)
  return Number(digits) * UNITS[unit]
}

/** A count of at least 1. */
export function limitOf(text: string): number {
  const limit = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(limit) || limit === 0)
    throw new UserError(`"${text}" is no number of lookups.`)
  return limit
}
