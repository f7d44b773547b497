/**
 * From the steps of search walks to the list: each step from a denied name to the next is an observation of two neighbours, and the
 * list is the path of the frequent ones. Rules I1 and I2 of the grouping rules that ARCHITECTURE.md describes.
 */
import { namespaceOf } from './suffix.ts'

/** How often one domain followed another; "" is the as-is name. */
export interface Observation {
  readonly from: string
  readonly to: string
  count: number
  /** One base is an accident, two are a habit. */
  firstBase: string
  severalBases: boolean
  /** Was one of two steps in a row of one base: three candidates, a walk. */
  inWalk: boolean
}

/** Those of one domain stand together, in the order in which they came: most clients have a handful. */
export type Observations = Observation[]

/** More than a search list and its accidents make; beyond it those go that were seen least. */
const MOST_STEPS = 256

/** The observation of these two neighbours, not counted yet. */
export function observationOf(all: Observations, from: string, to: string, base: string): Observation {
  let behind = all.length
  for (let i = 0; i < all.length; i++) {
    if (all[i].from !== from) continue
    if (all[i].to === to) return all[i]
    behind = i + 1
  }
  const observation = { from, to, count: 0, firstBase: base, severalBases: false, inWalk: false }
  all.splice(behind, 0, observation)
  if (all.length > MOST_STEPS) forgetSeldom(all, observation)
  return observation
}

/** Half of them stay, and the new one. */
function forgetSeldom(all: Observations, latest: Observation): void {
  const often = new Set([...all].sort((a, b) => b.count - a.count).slice(0, MOST_STEPS / 2))
  const left = all.filter(observation => observation === latest || often.has(observation))
  all.splice(0, all.length, ...left)
}

/** True where the one domain was seen to follow the other. */
export const leads = (all: Observations, from: string, to: string): boolean =>
  all.some(observation => observation.from === from && observation.to === to)

/** All together. */
export function merged(several: readonly Observations[]): Observations {
  const all: Observations = []
  for (const observations of several) {
    for (const { from, to, count, firstBase, severalBases, inWalk } of observations) {
      const sum = observationOf(all, from, to, firstBase)
      sum.count += count
      sum.severalBases ||= severalBases || sum.firstBase !== firstBase
      sum.inWalk ||= inWalk
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
  let best: Observation | null = null
  all.forEach((observation, i) => {
    const { from, to, count } = observation
    if (i === 0 || all[i - 1].from !== from) best = null
    if (!isProven(observation, from === '' || to === '')) return
    // Steps beside the as-is name are counted once a leg where it was answered, so they say nothing of the order.
    if (from === '') {
      add(to, 0)
      return
    }
    add(from, to === '' ? 0 : count)
    if (to !== '') add(to, -count)
    // As-is ends a list, so another domain is preferred where both follow: a jump after a timeout goes straight to as-is.
    if (!best || (best.to === '' && to !== '') || (count > best.count && (to !== '' || best.to === ''))) {
      best = observation
      next.set(from, to)
    }
  })
  let first: string | undefined
  for (const [domain, n] of surplus) if (first === undefined || n > (surplus.get(first) as number)) first = domain
  const path: string[] = []
  for (let at = first; at && !path.includes(at); at = next.get(at)) path.push(at)
  return withNamespace(path, all)
}

/**
 * The list of a client of which a portion of the walks is captured (one of several CoreDNS pods): steps leave out domains there, and the most
 * frequent path would, too. All domains that were seen to be searched, in the order in which most steps have them; where those go in a circle,
 * the path.
 */
export function pathOfPortion(all: Observations): string[] {
  const path = pathOf(all)
  if (path.length === 0) return path
  const members = new Set(path)
  for (const observation of all) {
    const { from, to } = observation
    if (!isProven(observation, from === '' || to === '')) continue
    for (const domain of [from, to]) if (domain !== '' && namespaceOf(domain) === null) members.add(domain)
  }
  /** How often the one came before the other, less the times that it came after it. */
  const before = (a: string, b: string): number => {
    // Kubernetes writes them in this order.
    if (a === `svc.${b}`) return 1
    if (b === `svc.${a}`) return -1
    let n = 0
    for (const { from, to, count } of all) if (from === a && to === b) n += count
    for (const { from, to, count } of all) if (from === b && to === a) n -= count
    return n
  }
  const left = [...members]
  const sorted: string[] = []
  while (left.length > 0) {
    const free = left.filter(domain => left.every(other => other === domain || before(other, domain) <= 0))
    if (free.length === 0) return path
    // Where no step tells, the zone stands behind svc.<zone>, as in every list of Kubernetes.
    const next = free.find(domain => sorted.at(-1) === `svc.${domain}`) ?? free[0]
    sorted.push(next)
    left.splice(left.indexOf(next), 1)
  }
  return sorted
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
  const left = new Map<string, number>()
  for (const { from, count } of all) if (namespaceOf(from)?.zone === zone) left.set(from, (left.get(from) ?? 0) + count)
  for (const [from, count] of left) {
    if (count <= most) continue
    own = from
    most = count
  }
  return own === null || path.includes(own) ? path : [own, ...path]
}
