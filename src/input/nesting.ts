/**
 * Captures within captures: all that one in a pod sees crosses its node, too, and the node's capture holds what the pod's queries cause
 * besides. When the pod asked and had its answer is then read at the node: all of a lookup's times are of one place and one clock,
 * and the same whether the pod's own capture is given or not.
 */
import type { Time } from '../model.ts'
import type { Bounds } from './clock-fit.ts'
import type { ClockSample } from './clock-sample.ts'

/** Some of what a capture saw is lost on its way to the other one. */
const NEARLY_ALL = 0.9
/** What a query and its response mostly take between two captures on one machine, together. Between two machines a network takes longer. */
const ON_ONE_MACHINE: Time = 50e3

/**
 * By capture in a pod, the one on the same machine that saw nearly all that it saw, and more; null without. `sharedBy`: as in clocks.ts, by pair of captures.
 * `isDuring` tells whether the second capture was taken at a time of the first one.
 */
export function nested(
  samples: readonly (ClockSample | null)[],
  sharedBy: ReadonlyMap<number, readonly Bounds[]>,
  isDuring: (file: number, time: Time, other: number) => boolean,
): (number | null)[] {
  return samples.map((inner, file) => {
    if (!inner || inner.seesCopies) return null
    let nearest: number | null = null
    let nearestBy = ON_ONE_MACHINE
    for (const [other, outer] of samples.entries()) {
      const shared = sharedBy.get(Math.min(file, other) * samples.length + Math.max(file, other))
      if (!outer || other === file || !shared || outer.size <= inner.size) continue
      let expected = 0
      inner.whole((key, query) => {
        if (outer.wouldHold(key) && isDuring(file, query, other)) expected++
      })
      const apart = medianOf(shared.map(({ low, high }) => high - low))
      if (shared.length < NEARLY_ALL * expected || apart >= nearestBy) continue
      nearest = other
      nearestBy = apart
    }
    return nearest
  })
}

const medianOf = (values: Time[]): Time => values.sort((a, b) => a - b)[values.length >> 1]
