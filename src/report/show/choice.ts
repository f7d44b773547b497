/** Picks one lookup and its hops out of the streams of all: by its id, or the slowest of a name. Keeps nothing else. */
import { UserError } from '../../model.ts'
import type { HopRecord, LookupRecord } from '../record-types.ts'

/** What is shown: a lookup and all that was asked for it, its own queries and those further in. */
export interface Shown {
  lookup: LookupRecord
  hops: HopRecord[]
  /** How many lookups had the wanted name; 1 where one was named by its id. */
  ofName: number
}

export interface Choice {
  lookup: (lookup: LookupRecord) => void
  hop: (hop: HopRecord) => void
  /** Throws a UserError where there is no such lookup. */
  chosen: () => Shown
}

const ID = /^L\d+$/

/** A name that looks like an id is meant where it ends with a dot. */
export function choice(wanted: string): Choice {
  return ID.test(wanted) ? byId(wanted) : byName(wanted)
}

function byId(id: string): Choice {
  let found: LookupRecord | null = null
  const hops: HopRecord[] = []
  return {
    lookup: lookup => {
      if (lookup.id === id) found = lookup
    },
    hop: hop => {
      if (hop.lookup === id) hops.push(hop)
    },
    chosen: () => {
      if (found === null) throw new UserError(`there is no lookup ${id}; ${HOW_TO_FIND}`)
      return { lookup: found, hops, ofName: 1 }
    },
  }
}

/**
 * A lookup comes before its hops, but where the clocks of two captures disagree a hop can seem to begin earlier. Such hops wait until
 * their lookup comes.
 */
function byName(wanted: string): Choice {
  const name = wanted.toLowerCase().replace(/\.$/, '')
  let best: LookupRecord | null = null
  let hops: HopRecord[] = []
  let ofName = 0
  let latest = 0
  const early = new Map<string, HopRecord[]>()
  return {
    lookup: lookup => {
      latest = Math.max(latest, numberOf(lookup.id))
      const waiting = early.get(lookup.id) ?? []
      early.delete(lookup.id)
      if (lookup.name !== name && !lookup.alternatives.includes(name)) return
      ofName++
      if (best !== null && !isBetter(lookup, best)) return
      best = lookup
      hops = waiting
    },
    hop: hop => {
      if (hop.lookup === null) return
      if (hop.lookup === best?.id) hops.push(hop)
      else if (numberOf(hop.lookup) > latest) early.set(hop.lookup, [...(early.get(hop.lookup) ?? []), hop])
    },
    chosen: () => {
      if (best === null) throw new UserError(`there is no lookup of "${name}"; ${HOW_TO_FIND}`)
      return { lookup: best, hops, ofName }
    },
  }
}

const HOW_TO_FIND = '"dnstrail lookups CAPTURE..." with the same options lists all lookups with their ids and names.'

const numberOf = (id: string): number => Number(id.slice(1))

/** Who got no answer at all waited longest. */
function slowness({ waitMs, outcome }: LookupRecord): number {
  return waitMs ?? (outcome === 'unanswered' ? Number.POSITIVE_INFINITY : -1)
}

/** An application's lookup is meant, where servers asked for the same name on their own. */
function isBetter(lookup: LookupRecord, best: LookupRecord): boolean {
  const servers = [lookup, best].map(({ client: { role } }) => Number(role !== 'pod' && role !== 'host'))
  return servers[0] === servers[1] ? slowness(lookup) > slowness(best) : servers[0] < servers[1]
}
