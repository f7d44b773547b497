/** Intervals of time, to be added up without counting twice what several cover. One object serves many sums: arrays of arrays cost more. */
import type { Time } from '../model.ts'

export class Spans {
  private starts = new Float64Array(16)
  private ends = new Float64Array(16)
  private length = 0

  clear(): void {
    this.length = 0
  }

  /** Kept in order of their starts; they come so, mostly. */
  add(start: Time, end: Time): void {
    if (this.length === this.starts.length) this.grow()
    const { starts, ends } = this
    let at = this.length++
    for (; at > 0 && starts[at - 1] > start; at--) {
      starts[at] = starts[at - 1]
      ends[at] = ends[at - 1]
    }
    starts[at] = start
    ends[at] = end
  }

  /** Length of their union within [from, to]. */
  covered(from: Time, to: Time): Time {
    const { starts, ends } = this
    let sum = 0
    let reached = from
    for (let i = 0; i < this.length; i++) {
      const begin = Math.max(starts[i], reached)
      const finish = Math.min(ends[i], to)
      if (finish > begin) {
        sum += finish - begin
        reached = finish
      }
    }
    return sum
  }

  private grow(): void {
    const { starts, ends } = this
    this.starts = new Float64Array(2 * starts.length)
    this.ends = new Float64Array(2 * starts.length)
    this.starts.set(starts)
    this.ends.set(ends)
  }
}
