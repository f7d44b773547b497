/** What a candidate with one search domain usually costs and comes to: for a candidate that nobody asked for in this capture. */
import { type NameId, NONE, type Outcome } from '../model.ts'
import type { Names } from '../wire/names.ts'
import { add, KnownName, type KnownNames } from './known-names.ts'
import type { Walk } from './walks.ts'

/** A domain that answered so many different names, and denied none, is taken to answer every name (a wildcard). */
const WILDCARD_NAMES = 3

export interface UsualCost {
  /** Queries, their bytes and nanoseconds of waiting, of so many candidates. */
  queries: number
  bytes: number
  wait: number
  candidates: number
  /** Characters of the queried names, of all queries. */
  letters: number
  outcome: Outcome
  /** So many names are in these sums. */
  names: number
  coredns: number
  upstream: number
}

const NOTHING: UsualCost = {
  queries: 0,
  bytes: 0,
  wait: 0,
  candidates: 0,
  letters: 0,
  outcome: 'nxdomain',
  names: 0,
  coredns: 0,
  upstream: 0,
}

export class SuffixCosts {
  private readonly bySuffix = new Map<string | null, UsualCost>()

  constructor(walks: readonly Walk[], known: KnownNames, names: Names) {
    const bySuffix = new Map<string | null, Set<NameId>>()
    for (const walk of walks) {
      for (let i = 0; i < walk.length; i++) {
        const name = walk.nameAt(i)
        if (name === NONE) continue
        const suffix = walk.suffixes[i]
        const ids = bySuffix.get(suffix)
        if (ids) ids.add(name)
        else bySuffix.set(suffix, new Set([name]))
      }
    }
    for (const [suffix, ids] of bySuffix) this.bySuffix.set(suffix, usualOf(ids, known, names))
  }

  /** `suffix`: null for as-is names. */
  of(suffix: string | null): UsualCost {
    return this.bySuffix.get(suffix) ?? NOTHING
  }
}

/** A candidate that nobody asked for is most likely denied, so what was denied tells the cost; where nothing was, all of them do. */
function usualOf(ids: Set<NameId>, names: KnownNames, texts: Names): UsualCost {
  const denied = new KnownName()
  const all = new KnownName()
  let deniedNames = 0
  let positiveNames = 0
  let letters = 0
  let deniedLetters = 0
  for (const id of ids) {
    const known = names.byId.get(id)
    if (!known) continue
    const inThisName = texts.text(id).length * known.queries
    add(all, known)
    letters += inThisName
    if (known.outcome === 'answered') positiveNames++
    if (known.outcome !== 'nxdomain') continue
    deniedNames++
    deniedLetters += inThisName
    add(denied, known)
  }
  const isWildcard = deniedNames === 0 && positiveNames >= WILDCARD_NAMES
  const { queries, bytes, wait, candidates, coredns, upstream } = deniedNames > 0 ? denied : all
  return {
    queries,
    bytes,
    wait,
    candidates,
    letters: deniedNames > 0 ? deniedLetters : letters,
    outcome: isWildcard ? 'answered' : 'nxdomain',
    names: deniedNames > 0 ? deniedNames : ids.size,
    coredns,
    upstream,
  }
}
