/** The order in which a stub resolver tries its candidates, and what each outcome does to the walk, as the rows of resolvers.ts say. */
import type { Outcome } from '../model.ts'
import type { Resolver } from './resolvers.ts'

/** Stands for the as-is name where a number stands for a domain of the search list. */
export const AS_IS = -1

/** Candidates of a name without a dot at its end, as positions in a list of `domains` search domains. The array is shared. */
export function candidateOrder(resolver: Resolver, dots: number, domains: number, ndots: number): readonly number[] {
  if (domains === 0) return ONLY_AS_IS
  if (resolver.afterEnoughDots === 'any dot') return dots > 0 ? ONLY_AS_IS : ordersOf(domains).list
  if (resolver.afterEnoughDots === 'any dot, list')
    return dots > 0 ? ordersOf(domains).asIsFirst : ordersOf(domains).list
  if (dots < ndots) return ordersOf(domains).asIsLast
  return resolver.afterEnoughDots === 'list' ? ordersOf(domains).asIsFirst : ONLY_AS_IS
}

export const ONLY_AS_IS: readonly number[] = [AS_IS]

interface Orders {
  list: readonly number[]
  asIsFirst: readonly number[]
  asIsLast: readonly number[]
}

const orders: Orders[] = []

/** Few lists are longer than six. */
function ordersOf(domains: number): Orders {
  let known = orders[domains]
  if (!known) {
    const list = Array.from({ length: domains }, (_, i) => i)
    known = { list, asIsFirst: [AS_IS, ...list], asIsLast: [...list, AS_IS] }
    orders[domains] = known
  }
  return known
}

/** What the resolver does after a candidate with this outcome. */
export function afterOutcome(outcome: Outcome, resolver: Resolver): 'stop' | 'as-is' | 'next' {
  switch (outcome) {
    case 'answered':
    case 'capture-ended':
      return 'stop'
    case 'nodata':
      return resolver.stopsAtNodata ? 'stop' : 'next'
    case 'servfail':
      return resolver.stopsAtServfail ? 'stop' : 'next'
    case 'refused':
    case 'other':
      return resolver.afterSilence === 'as-is' ? 'as-is' : resolver.stopsAtServfail ? 'stop' : 'next'
    case 'unanswered':
    case 'unreachable':
      return resolver.afterSilence
    default:
      return 'next'
  }
}
