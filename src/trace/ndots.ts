/** The bounds of a client's ndots, from the dots of the names with which its walks began. Rule I4 of the grouping rules. */
import { dots } from './suffix.ts'

/** resolv.conf(5) allows 15. */
const MOST = 15
/** Nobody is known to set it higher than Kubernetes does. */
const USUAL_NDOTS = 5

export interface Ndots {
  /** ndots is at least, at most; null where no name told. */
  ndotsMin: number | null
  ndotsMax: number | null
  /** Bit n: a walk began as it is with a base of n dots. */
  asIsFirst: number
  /** `ndotsMin` by those walks alone that were seen to come to the name as it is at last, so that it cannot have come first. */
  sureMin: number | null
  /** Only those count: of the others a part may have gone where the capture does not look. */
  isTorn: boolean
}

export const newNdots = (): Ndots => ({ ndotsMin: null, ndotsMax: null, asIsFirst: 0, sureMin: null, isTorn: false })

/** A walk began with a search domain: its base has fewer dots than ndots. `isSure`: the name as it is came at last. */
export function noteSearchedFirst(ndots: Ndots, baseDots: number, isSure: boolean): void {
  if (baseDots >= MOST) return
  if (isSure && !((ndots.sureMin ?? 0) > baseDots)) ndots.sureMin = baseDots + 1
  if ((ndots.isTorn && !isSure) || (ndots.ndotsMin ?? 0) > baseDots) return
  ndots.ndotsMin = baseDots + 1
  setMax(ndots)
}

/** A walk began with the name as it is: it has ndots dots or more. */
export function noteAsIsFirst(ndots: Ndots, baseDots: number): void {
  ndots.asIsFirst |= 1 << Math.min(baseDots, MOST)
  setMax(ndots)
}

/** Its client asks elsewhere too: what first candidates seemed to show does not hold. */
export function doubtNdots(ndots: Ndots): void {
  if (ndots.isTorn) return
  ndots.isTorn = true
  ndots.ndotsMin = ndots.sureMin
  setMax(ndots)
}

/** What another one showed of the same resolv.conf. */
export function noteNdots(ndots: Ndots, other: Ndots): void {
  ndots.asIsFirst |= other.asIsFirst
  if (other.sureMin !== null && !((ndots.sureMin ?? 0) >= other.sureMin)) ndots.sureMin = other.sureMin
  const min = ndots.isTorn ? other.sureMin : other.ndotsMin
  if (min !== null && !((ndots.ndotsMin ?? 0) >= min)) ndots.ndotsMin = min
  setMax(ndots)
}

/**
 * The least number of dots with which a walk began as it is, of those that the searched ones allow: a tool that asks the bare name, and
 * then an application that walks, look like a walk that begins as it is.
 */
function setMax(ndots: Ndots): void {
  ndots.ndotsMax = null
  for (let n = ndots.ndotsMin ?? 1; n <= MOST; n++) {
    if ((ndots.asIsFirst & (1 << n)) === 0) continue
    ndots.ndotsMax = n
    return
  }
}

/**
 * A name that is asked as it is, and answered, may have a dot at its end, and bounds nothing. With so many dots it does all the same.
 */
export const isLong = (name: string): boolean => dots(name) >= USUAL_NDOTS
