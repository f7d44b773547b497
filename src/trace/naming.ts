/**
 * The name that the application asked for, from the candidates that its resolver made of it: what they have in common, and which search
 * domain each has behind it. Where the wire can't tell, the lookup says so and holds what else it can have been.
 */
import type { NameId } from '../model.ts'
import type { Lookup } from './lookup.ts'
import { ENOUGH_QUERIES, type SearchKnowledge } from './search-knowledge.ts'
import { beginsWithBase, behind, commonBase, endsWithSuffix, withoutSuffix } from './suffix.ts'

/** The same candidates under the same search list have the same name. */
interface Naming {
  qnames: readonly NameId[]
  list: readonly string[]
  nodeDomains: readonly string[]
  neverWalks: boolean
  mayCache: boolean
  isTorn: boolean
  base: string
  suffixes: (string | null)[]
  certain: boolean
  alternatives: string[]
}

/** Namings that are remembered, a power of two: applications ask for the same names again and again. */
const REMEMBERED = 2048

/** Names lookups: sets base, suffixes, certain, alternatives and search list. */
export class Namings {
  private readonly slots = new Array<Naming | undefined>(REMEMBERED)

  /**
   * `mayCache`: its resolver may have had other candidates in a cache of its own. `nodeDomains`: search domains that nodes are known to
   * add, of which this client may have some. `isTorn`: other candidates may have gone to a server that was not captured.
   */
  name(
    lookup: Lookup,
    knowledge: SearchKnowledge,
    mayCache: boolean,
    nodeDomains: readonly string[],
    isTorn = false,
  ): void {
    const { candidates } = lookup
    const neverWalks = knowledge.queries >= ENOUGH_QUERIES
    const last = candidates[candidates.length - 1].qname
    const hash = Math.imul(candidates[0].qname, 0x9e37_79b1) ^ Math.imul(last, 0x85eb_ca6b) ^ candidates.length
    const slot = (hash ^ (hash >>> 15)) & (REMEMBERED - 1)
    const known = this.slots[slot]
    if (
      known?.list === knowledge.list &&
      known.nodeDomains === nodeDomains &&
      known.neverWalks === neverWalks &&
      known.mayCache === mayCache &&
      known.isTorn === isTorn &&
      isOf(known, lookup)
    ) {
      lookup.searchList = knowledge.list
      lookup.base = known.base
      lookup.suffixes = known.suffixes
      lookup.certain = known.certain
      lookup.alternatives = known.alternatives
      return
    }
    nameAnew(lookup, knowledge, mayCache, nodeDomains, isTorn)
    const { base, suffixes, certain, alternatives } = lookup
    const qnames = candidates.map(({ qname }) => qname)
    const { list } = knowledge
    this.slots[slot] = {
      qnames,
      list,
      nodeDomains,
      neverWalks,
      mayCache,
      isTorn,
      base,
      suffixes,
      certain,
      alternatives,
    }
  }
}

function isOf({ qnames }: Naming, { candidates }: Lookup): boolean {
  if (qnames.length !== candidates.length) return false
  for (let i = 0; i < qnames.length; i++) if (qnames[i] !== candidates[i].qname) return false
  return true
}

/** At most as many as a reader can weigh. */
const MAX_ALTERNATIVES = 6

/** Sets base, suffixes, certain and alternatives. */
function nameAnew(
  lookup: Lookup,
  knowledge: SearchKnowledge,
  mayCache: boolean,
  nodeDomains: readonly string[],
  isTorn: boolean,
): void {
  const names = lookup.candidates.map(c => c.name)
  lookup.searchList = knowledge.list
  if (names.length > 1) {
    let base = baseByList(names, knowledge)
    if (base === null) {
      base = names[0].slice(0, commonBase(names[0], names[1]))
      for (const name of names.slice(2)) base = base.slice(0, commonBase(base, name) || base.length)
    }
    lookup.base = base
    lookup.suffixes = names.map(name => behind(name, (base as string).length) || null)
    return
  }
  const name = names[0]
  const first = knowledge.list[0]
  const likely = isTorn ? knowledge.list.filter(suffix => endsWithSuffix(name, suffix)) : []
  if (likely.length > 0) {
    // The other candidates went elsewhere: most likely it is behind the longest domain that it can be behind.
    const bases = likely.map(suffix => withoutSuffix(name, suffix))
    lookup.base = bases[0]
    lookup.suffixes = [likely[0]]
    lookup.certain = false
    lookup.alternatives = [...bases.slice(1), name].slice(0, MAX_ALTERNATIVES)
  } else if (first !== undefined && endsWithSuffix(name, first)) {
    // A hit at the first search domain looks like the full name asked with a trailing dot.
    lookup.base = withoutSuffix(name, first)
    lookup.suffixes = [first]
    lookup.certain = false
    lookup.alternatives = [name]
  } else if (first === undefined && /\.[^.]+\.svc\./.test(name)) {
    // Nothing is known of this client's list, but the name has the shape of a service's: the pod's own namespace comes first.
    const at = name.lastIndexOf('.', name.indexOf('.svc.') - 1)
    if (knowledge.queries >= ENOUGH_QUERIES) {
      lookup.base = name
      lookup.suffixes = [null]
      lookup.certain = false
      lookup.alternatives = [name.slice(0, at), name.slice(0, name.indexOf('.svc.'))]
      return
    }
    lookup.base = name.slice(0, at)
    lookup.suffixes = [name.slice(at + 1)]
    lookup.certain = false
    lookup.alternatives = [name, name.slice(0, name.indexOf('.svc.'))].slice(0, MAX_ALTERNATIVES)
  } else {
    lookup.base = name
    lookup.suffixes = [null]
    // A candidate from the middle of the list stands alone where the ones before it came from a cache, or nobody knows that they did not;
    // one behind a domain that nodes add may be the first, where nothing is known of this client's list.
    const domains = first === undefined ? nodeDomains : mayCache ? knowledge.list : []
    lookup.alternatives = domains
      .filter(domain => endsWithSuffix(name, domain))
      .map(domain => withoutSuffix(name, domain))
      .slice(0, MAX_ALTERNATIVES)
    lookup.certain = lookup.alternatives.length === 0
  }
}

/** The base that makes every name a candidate of the learned list; null where there is none. */
function baseByList(names: string[], { list, position }: SearchKnowledge): string | null {
  for (const suffix of [...list, '']) {
    if (suffix !== '' && !endsWithSuffix(names[0], suffix)) continue
    const base = withoutSuffix(names[0], suffix)
    if (names.every(name => name === base || (beginsWithBase(name, base) && position.has(name.slice(base.length + 1)))))
      return base
  }
  return null
}
