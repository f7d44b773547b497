/**
 * From the steps of search walks to the list: each step from a denied name to the next is an observation of two neighbours, and the
 * list is the path of the frequent ones. Rules I1 and I2 of the grouping rules that ARCHITECTURE.md describes.
 */
import { namespaceOf } from './suffix.ts'

/** How often one domain followed another. */
export interface Observation {
  count: number
  /** One base is an accident, two are a habit. */
  firstBase: string
  severalBases: boolean
  /** Was one of two steps in a row of one base: three candidates, a walk. */
  inWalk: boolean
}

/** From domain -> to domain. "" is the as-is name. */
export type Observations = Map<string, Map<string, Observation>>

/** The observation of these two neighbours, not counted yet. */
export function observationOf(all: Observations, from: string, to: string, base: string): Observation {
  let next = all.get(from)
  if (!next) {
    next = new Map()
    all.set(from, next)
  }
  let observation = next.get(to)
  if (!observation) {
    observation = { count: 0, firstBase: base, severalBases: false, inWalk: false }
    next.set(to, observation)
  }
  return observation
}

/** All together. */
export function merged(several: readonly Observations[]): Observations {
  const all: Observations = new Map()
  for (const observations of several) {
    for (const [from, nexts] of observations) {
      for (const [to, { count, firstBase, severalBases, inWalk }] of nexts) {
        const sum = observationOf(all, from, to, firstBase)
        sum.count += count
        sum.severalBases ||= severalBases || sum.firstBase !== firstBase
        sum.inWalk ||= inWalk
      }
    }
  }
  return all
}

/**
 * The most frequent path through the steps that were seen often enough. It begins at the domain that is left more often than it is
 * reached from another one.
 */
export function pathOf(all: Observations): string[] {
  const next = new Map<string, string>()
  /** How much more often a domain is left than reached: the first of the list has the largest. */
  const surplus = new Map<string, number>()
  const add = (domain: string, n: number): void => {
    if (domain !== '') surplus.set(domain, (surplus.get(domain) ?? 0) + n)
  }
  for (const [from, nexts] of all) {
    let best: { to: string; count: number } | null = null
    for (const [to, observation] of nexts) {
      if (!isProven(observation, from === '' || to === '')) continue
      // Steps beside the as-is name are counted once a leg where it was answered, so they say nothing of the order.
      if (from === '') {
        add(to, 0)
        continue
      }
      add(from, to === '' ? 0 : observation.count)
      if (to !== '') add(to, -observation.count)
      // As-is ends a list, so another domain is preferred where both follow: a jump after a timeout goes straight to as-is.
      if (!best || (best.to === '' && to !== '') || (observation.count > best.count && (to !== '' || best.to === '')))
        best = { to, count: observation.count }
    }
    if (best) next.set(from, best.to)
  }
  let first: string | undefined
  for (const [domain, n] of surplus) if (first === undefined || n > (surplus.get(first) as number)) first = domain
  const path: string[] = []
  for (let at = first; at && !path.includes(at); at = next.get(at)) path.push(at)
  return withNamespace(path, all)
}

/** Three observations from two bases, or one walk of three candidates (I2); two where one name is the bare base of the other. */
const isProven = ({ count, severalBases, inWalk }: Observation, besideAsIs: boolean): boolean =>
  inWalk || (severalBases && count >= (besideAsIs ? 2 : 3))

/** Where svc.<zone> stands first, the pod's own namespace stands before it (I1): no kubelet writes the one without the other. */
function withNamespace(path: string[], all: Observations): string[] {
  if (!path[0]?.startsWith('svc.')) return path
  const zone = path[0].slice('svc.'.length)
  let own: string | null = null
  let most = 0
  for (const [from, nexts] of all) {
    if (namespaceOf(from)?.zone !== zone) continue
    let count = 0
    for (const observation of nexts.values()) count += observation.count
    if (count > most) {
      own = from
      most = count
    }
  }
  return own === null || path.includes(own) ? path : [own, ...path]
}
