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
}

/** A walk began with a search domain: its base has fewer dots than ndots. */
export function noteSearchedFirst(ndots: Ndots, baseDots: number): void {
  if (baseDots >= MOST || (ndots.ndotsMin ?? 0) > baseDots) return
  ndots.ndotsMin = baseDots + 1
  setMax(ndots)
}

/** A walk began with the name as it is: it has ndots dots or more. */
export function noteAsIsFirst(ndots: Ndots, baseDots: number): void {
  ndots.asIsFirst |= 1 << Math.min(baseDots, MOST)
  setMax(ndots)
}

/** What another one showed of the same resolv.conf. */
export function noteNdots(ndots: Ndots, other: Ndots): void {
  ndots.asIsFirst |= other.asIsFirst
  if (other.ndotsMin !== null && !((ndots.ndotsMin ?? 0) >= other.ndotsMin)) ndots.ndotsMin = other.ndotsMin
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
