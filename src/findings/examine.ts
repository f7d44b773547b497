/** Runs all rules over what passes by, and makes findings of what they conclude. */
import { type AddressId, type Finding, SEVERITIES } from '../model.ts'
import { Bounded } from '../trace/bounded.ts'
import type { Hop } from '../trace/hop.ts'
import { Limit } from '../trace/limit.ts'
import type { Lookup } from '../trace/lookup.ts'
import type { Inward } from '../trace/sums.ts'
import type { LookupWasteSums } from '../trace/waste.ts'
import { displayFilters } from './frame-sample.ts'
import { type Concluded, type Draft, MOST_CLIENTS, type Observer, type Rule } from './rule.ts'
import { RULES } from './rules.ts'
import { idOf, type World } from './world.ts'

export interface Examination {
  lookup: (lookup: Lookup, waste: LookupWasteSums, inward: Inward) => void
  hop: (hop: Hop) => void
  conclude: () => Finding[]
  /** Of the tables in which the rules keep their sums. */
  limit: Limit
}

export function examine(world: World): Examination {
  const running = RULES.map(rule => ({ rule, observer: rule.begin(world) }))
  // Bound once: to find the method of twenty different observers for every hop costs more than most of them do.
  const ofLookups = running.flatMap(({ observer }) => observer.lookup?.bind(observer) ?? [])
  const ofHops = running.flatMap(({ observer }) => observer.hop?.bind(observer) ?? [])
  const tables = running.flatMap(({ observer }) => tablesOf(observer))
  const limit = new Limit([...tables, world.trace.matching.unopened.sums])
  return {
    limit,
    lookup: (lookup, waste, inward) => {
      // What is missing of a lookup may be what a diagnosis would rest on.
      if (lookup.partial) return
      limit.now = lookup.candidates[0].transactions[0]
      for (const take of ofLookups) take(lookup, waste, inward)
    },
    hop: hop => {
      limit.now = hop.transaction
      for (const take of ofHops) take(hop)
    },
    conclude: () => {
      const earlier: Concluded[] = []
      const findings: Finding[] = []
      for (const { rule, observer } of running) {
        for (const draft of observer.conclude(earlier)) {
          findings.push(findingOf(world, rule, draft))
          earlier.push({
            code: rule.code,
            names: new Set(draft.names),
            clients: new Set(draft.clients),
            servers: new Set(draft.servers),
          })
        }
      }
      return findings.sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity))
    },
  }
}

/** What stands in an observer's fields: so no rule has to say that a table of its own was full. */
const tablesOf = (observer: Observer): Bounded[] => Object.values(observer).filter(field => field instanceof Bounded)

function findingOf(world: World, rule: Rule, draft: Draft): Finding {
  const names = (addresses: Iterable<AddressId>): string[] =>
    [...new Set(addresses)].map(address => idOf(world, address)).slice(0, MOST_CLIENTS)
  const frames = draft.frames.refs(world.files)
  return {
    code: rule.code,
    severity: draft.severity ?? rule.severity,
    what: draft.what,
    why: draft.why,
    advice: draft.advice,
    snippet: draft.snippet ?? null,
    count: draft.count,
    share: draft.share === null ? null : Math.round(draft.share * 1e4) / 1e4,
    clients: names(draft.clients),
    servers: names(draft.servers),
    lookup: draft.frames.lookup === 0 ? null : `L${draft.frames.lookup}`,
    frames,
    filters: displayFilters(frames),
    confidence: draft.confidence,
    links: [...rule.links],
  }
}
