/**
 * Quantiles of durations in bounded memory: a histogram with buckets that grow by 1.8 %, so that the middle of a bucket is within
 * 0.9 % of anything in it. Two histograms are merged by adding their buckets. The idea is DDSketch's (https://arxiv.org/abs/1908.10693).
 */
import type { Quantiles } from '../model.ts'

const GROWTH = Math.log(1.018)
/** Durations below a microsecond share the first bucket. */
const SMALLEST_MS = 1e-3

/** As long as there are no more samples than this, each is kept by its bucket: there are three of these per pair of addresses. */
const FEW = 16
const NOTHING: number[] = []

export class Histogram {
  /** The buckets of the samples while these are few; null when they are counted in `buckets`. */
  private few: number[] | null = NOTHING
  /** From `first` on. */
  private buckets: number[] = NOTHING
  private first = 0
  count = 0
  maxMs = 0

  add(ms: number): void {
    this.addTo(bucketOf(ms), 1)
    this.count++
    if (ms > this.maxMs) this.maxMs = ms
  }

  private addTo(bucket: number, n: number): void {
    if (this.few !== null) {
      if (this.few.length + n <= FEW) {
        // An array that is pushed to takes room for seventeen.
        this.few = [...this.few, ...new Array<number>(n).fill(bucket)]
        return
      }
      this.countAll(this.few)
    }
    this.cover(bucket, bucket)
    this.buckets[bucket - this.first] += n
  }

  /** From now on samples are counted. */
  private countAll(few: readonly number[]): void {
    this.few = null
    this.buckets = []
    for (const bucket of few) {
      this.cover(bucket, bucket)
      this.buckets[bucket - this.first]++
    }
  }

  /** Calls back with every bucket that has samples, in order. */
  private each(visit: (bucket: number, n: number) => void): void {
    const { few, buckets, first } = this
    if (few !== null) for (const bucket of [...few].sort((a, b) => a - b)) visit(bucket, 1)
    else for (let i = 0; i < buckets.length; i++) if (buckets[i] > 0) visit(first + i, buckets[i])
  }

  merge(other: Histogram): void {
    if (other.count === 0) return
    other.each((bucket, n) => {
      this.addTo(bucket, n)
    })
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
    let found = Number.NaN
    this.each((bucket, n) => {
      if (seen < rank && seen + n >= rank) found = bucket
      seen += n
    })
    return Number.isNaN(found) ? this.maxMs : Math.min(this.maxMs, SMALLEST_MS * Math.exp((found - 0.5) * GROWTH))
  }

  /** How many samples are longer, as far as the buckets tell. */
  countAbove(ms: number): number {
    let n = 0
    const last = bucketOf(ms)
    this.each((bucket, of) => {
      if (bucket > last) n += of
    })
    return n
  }

  get quantiles(): Quantiles {
    return { p50: this.at(0.5), p90: this.at(0.9), p99: this.at(0.99), max: this.count ? this.maxMs : null }
  }
}

const bucketOf = (ms: number): number => (ms <= SMALLEST_MS ? 0 : Math.ceil(Math.log(ms / SMALLEST_MS) / GROWTH))
