/**
 * Quantiles of durations in bounded memory: a histogram with buckets that grow by 1.8 %, so that the middle of a bucket is within
 * 0.9 % of anything in it. Two histograms are merged by adding their buckets. The idea is DDSketch's (https://arxiv.org/abs/1908.10693).
 */
import type { Quantiles } from '../model.ts'

const GROWTH = Math.log(1.018)
/** Durations below a microsecond share the first bucket. */
const SMALLEST_MS = 1e-3

export class Histogram {
  private buckets: number[] = []
  count = 0
  maxMs = 0

  add(ms: number): void {
    const i = bucketOf(ms)
    while (this.buckets.length <= i) this.buckets.push(0)
    this.buckets[i]++
    this.count++
    if (ms > this.maxMs) this.maxMs = ms
  }

  merge(other: Histogram): void {
    while (this.buckets.length < other.buckets.length) this.buckets.push(0)
    for (let i = 0; i < other.buckets.length; i++) this.buckets[i] += other.buckets[i]
    this.count += other.count
    if (other.maxMs > this.maxMs) this.maxMs = other.maxMs
  }

  /** The duration in milliseconds that a share `q` of the samples does not exceed; null without samples. */
  at(q: number): number | null {
    if (this.count === 0) return null
    const rank = Math.max(1, Math.ceil(q * this.count))
    let seen = 0
    for (let i = 0; i < this.buckets.length; i++) {
      seen += this.buckets[i]
      if (seen >= rank) return Math.min(this.maxMs, SMALLEST_MS * Math.exp((i - 0.5) * GROWTH))
    }
    return this.maxMs
  }

  /** How many samples are longer, as far as the buckets tell. */
  countAbove(ms: number): number {
    let n = 0
    for (let i = bucketOf(ms) + 1; i < this.buckets.length; i++) n += this.buckets[i]
    return n
  }

  get quantiles(): Quantiles {
    return { p50: this.at(0.5), p90: this.at(0.9), p99: this.at(0.99), max: this.count ? this.maxMs : null }
  }
}

const bucketOf = (ms: number): number => (ms <= SMALLEST_MS ? 0 : Math.ceil(Math.log(ms / SMALLEST_MS) / GROWTH))
