/**
 * Quantiles of durations in bounded memory: a histogram with buckets that grow by 1.8 %, so that the middle of a bucket is within
 * 0.9 % of anything in it. Two histograms are merged by adding their buckets. The idea is DDSketch's (https://arxiv.org/abs/1908.10693).
 */
import type { Quantiles } from '../model.ts'

const GROWTH = Math.log(1.018)
/** Durations below a microsecond share the first bucket. */
const SMALLEST_MS = 1e-3

export class Histogram {
  /** From `first` on: most have a few samples close together, and there is one of these per pair of addresses. */
  private buckets: number[] = []
  private first = 0
  count = 0
  maxMs = 0

  add(ms: number): void {
    const i = bucketOf(ms)
    this.cover(i, i)
    this.buckets[i - this.first]++
    this.count++
    if (ms > this.maxMs) this.maxMs = ms
  }

  merge(other: Histogram): void {
    if (other.count === 0) return
    const { buckets, first } = other
    this.cover(first, first + buckets.length - 1)
    for (let i = 0; i < buckets.length; i++) this.buckets[i + first - this.first] += buckets[i]
    this.count += other.count
    if (other.maxMs > this.maxMs) this.maxMs = other.maxMs
  }

  /** Makes room for the buckets from `from` to `to`. */
  private cover(from: number, to: number): void {
    const { buckets } = this
    if (buckets.length === 0) this.first = from
    if (from < this.first) {
      this.buckets = [...new Array<number>(this.first - from).fill(0), ...buckets]
      this.first = from
    }
    while (this.first + this.buckets.length <= to) this.buckets.push(0)
  }

  /** The duration in milliseconds that a share `q` of the samples does not exceed; null without samples. */
  at(q: number): number | null {
    if (this.count === 0) return null
    const rank = Math.max(1, Math.ceil(q * this.count))
    let seen = 0
    for (let i = 0; i < this.buckets.length; i++) {
      seen += this.buckets[i]
      if (seen >= rank) return Math.min(this.maxMs, SMALLEST_MS * Math.exp((this.first + i - 0.5) * GROWTH))
    }
    return this.maxMs
  }

  /** How many samples are longer, as far as the buckets tell. */
  countAbove(ms: number): number {
    let n = 0
    for (let i = Math.max(0, bucketOf(ms) + 1 - this.first); i < this.buckets.length; i++) n += this.buckets[i]
    return n
  }

  get quantiles(): Quantiles {
    return { p50: this.at(0.5), p90: this.at(0.9), p99: this.at(0.99), max: this.count ? this.maxMs : null }
  }
}

const bucketOf = (ms: number): number => (ms <= SMALLEST_MS ? 0 : Math.ceil(Math.log(ms / SMALLEST_MS) / GROWTH))
