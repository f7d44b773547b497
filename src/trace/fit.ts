/**
 * How well a transaction fits an open lookup, as a rank: where several would have it, the best gets it (K7), of two equals the nearer. The
 * ranks stand best first.
 */
import type { Time } from '../model.ts'
import type { Candidate } from './lookup.ts'

/** No other walk sends it: the other leg at its port, a copy to another server, TCP after truncation. */
export const CERTAIN = 10
/** A port or an id of the walk comes back; or the second of two ports, of a walk that has a port for each leg. */
export const TIED = 9
/** Its turn, and at once: the next name, or what an earlier answer of this candidate made due. */
export const IN_TURN = 8
/** The right moment, and made like what it follows; but its port is new. */
export const ALIKE = 7
/** This walk lacks it, or has to repeat it: a second leg that is late, both legs after one failed. */
export const LACKING = 6
/** As above, with less to show for it; or the next name, as late as a busy pod is. */
export const LATE = 5
/** It is next when a timer fires or others are sent at once: so are the queries of other walks. */
export const BY_TIMER = 4
/** The moment is right and no more: late after an error, a name from further down the list. */
export const BY_MOMENT = 3
/** Near, of one kind, and in no order that is known; or the leg of a pod that stood still. */
export const NEAR = 2
/** This walk has waited too long or lacks a leg, so any other that fits has it; but it hardly begins a walk of its own. */
export const LAST_RESORT = 1
const NONE_AT_ALL = 0

interface Fit {
  /** One of the above. */
  rank: number
  /** Nanoseconds between what it follows and itself: the nearer of two equals. */
  gap: Time
  /** True: as the next candidate; else it joins `candidate`. */
  next: boolean
  candidate: Candidate | null
}

export const NOTHING_FITS: Fit = { rank: NONE_AT_ALL, gap: Number.POSITIVE_INFINITY, next: false, candidate: null }

/** What `joins` and `follows` have found: one object for all, since nearly every transaction asks. */
export const fit: Fit = { ...NOTHING_FITS }

/** All of these return the rank. */
export function fitsNot(): number {
  fit.rank = NONE_AT_ALL
  return NONE_AT_ALL
}

export function joins(candidate: Candidate, rank: number, gap: Time): number {
  fit.rank = rank
  fit.gap = Math.abs(gap)
  fit.next = false
  fit.candidate = candidate
  return rank
}

export function follows(rank: number, gap: Time): number {
  fit.rank = rank
  fit.gap = Math.abs(gap)
  fit.next = true
  fit.candidate = null
  return rank
}
