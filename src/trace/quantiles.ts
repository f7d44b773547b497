/**
 * Quantiles of durations in bounded memory: a histogram with buckets that grow by 1.7 %, so that the middle of a bucket is within
 * 0.9 % of anything in it. Two histograms are merged by adding their buckets. The idea is DDSketch's (https://arxiv.org/abs/1908.10693).
 */
import type { Quantiles } from '../model.ts'

/**
 * The waits that people know by heart are timers: 1, 2, 2.5, 5, 10, 15 s. With so many buckets for each doubling, three times as much is a
 * whole number of buckets, too (65 - 0.02), so what is 5 s and its multiples stands in the middle of a bucket: 5.00 s, not 4.95 or 5.04 s.
 */
const PER_DOUBLING = 41
const GROWTH = Math.LN2 / PER_DOUBLING
/** A timer fires a little late. */
const TIMER_MS = 5_002
const BUCKETS_TO_TIMER = 912.5
/** Durations below a microsecond share the first bucket. */
const SMALLEST_MS = TIMER_MS / 2 ** (BUCKETS_TO_TIMER / PER_DOUBLING)

/**
 * As long as there are no more different buckets than this, only those with samples are kept: there are three histograms per pair of
 * addresses, and between the fastest answer and one after a timer lie 600 buckets.
 */
const MOST_SPARSE = 96
/** A bucket and how many samples it has, as one small number: so many samples ... */
const PER_BUCKET = 1 << 20
/** ... and so many buckets, up to some thirty years. */
const MOST_BUCKETS = 1 << 11
/** Room is made for so many buckets at a time. */
const SPARSE_STEP = 8
const DENSE_STEP = 64
const NOTHING: number[] = []

export class Histogram {
  /** Buckets with samples, in order, bucket * PER_BUCKET + samples; null when all from `first` on are counted in `dense`. */
  private sparse: number[] | null = NOTHING
  /** How many of `sparse` there are. */
  private different = 0
  private dense: Uint32Array | null = null
  private first = 0
  count = 0
  maxMs = 0

  add(ms: number): void {
    this.addTo(bucketOf(ms), 1)
    this.count++
    if (ms > this.maxMs) this.maxMs = ms
  }

  private addTo(bucket: number, n: number): void {
    if (this.sparse !== null) {
      if (this.addSparse(this.sparse, bucket, n)) return
      this.countAll()
    }
    const at = bucket - this.first
    if (this.dense !== null && at >= 0 && at < this.dense.length) this.dense[at] += n
    else this.cover(bucket)[bucket - this.first] += n
  }

  /** False where it does not fit. */
  private addSparse(sparse: number[], bucket: number, n: number): boolean {
    let low = 0
    let high = this.different
    while (low < high) {
      const middle = (low + high) >> 1
      if (sparse[middle] < bucket * PER_BUCKET) low = middle + 1
      else high = middle
    }
    const isKnown = low < this.different && sparse[low] < (bucket + 1) * PER_BUCKET
    if (n + (isKnown ? sparse[low] - bucket * PER_BUCKET : 0) >= PER_BUCKET || bucket >= MOST_BUCKETS) return false
    if (isKnown) sparse[low] += n
    else {
      if (this.different === MOST_SPARSE) return false
      let into = sparse
      if (this.different === sparse.length) this.sparse = into = widened(sparse)
      for (let i = this.different; i > low; i--) into[i] = into[i - 1]
      into[low] = bucket * PER_BUCKET + n
      this.different++
    }
    return true
  }

  /** From now on all buckets between are counted. */
  private countAll(): void {
    const sparse = this.sparse as number[]
    this.sparse = null
    for (let i = 0; i < this.different; i++) {
      const bucket = Math.floor(sparse[i] / PER_BUCKET)
      this.addTo(bucket, sparse[i] % PER_BUCKET)
    }
  }

  /** Calls back with every bucket that has samples, in order. */
  private each(visit: (bucket: number, n: number) => void): void {
    const { sparse, dense, first } = this
    if (sparse !== null)
      for (let i = 0; i < this.different; i++) visit(Math.floor(sparse[i] / PER_BUCKET), sparse[i] % PER_BUCKET)
    else if (dense !== null) for (let i = 0; i < dense.length; i++) if (dense[i] > 0) visit(first + i, dense[i])
  }

  merge(other: Histogram): void {
    if (other.count === 0) return
    other.each((bucket, n) => {
      this.addTo(bucket, n)
    })
    this.count += other.count
    if (other.maxMs > this.maxMs) this.maxMs = other.maxMs
  }

  /** Makes room for a bucket. */
  private cover(bucket: number): Uint32Array {
    const { dense, first } = this
    const step = bucket - (bucket % DENSE_STEP)
    const from = dense === null ? step : Math.min(first, step)
    const to = Math.max(dense === null ? 0 : first + dense.length, step + DENSE_STEP)
    const wider = new Uint32Array(to - from)
    if (dense !== null) wider.set(dense, first - from)
    this.dense = wider
    this.first = from
    return wider
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

/** With room for some more, and no more than that: an array that is pushed or spread to takes seventeen. */
function widened(sparse: readonly number[]): number[] {
  const wider = new Array<number>(sparse.length + SPARSE_STEP).fill(0)
  for (let i = 0; i < sparse.length; i++) wider[i] = sparse[i]
  return wider
}

const bucketOf = (ms: number): number => (ms <= SMALLEST_MS ? 0 : Math.ceil(Math.log(ms / SMALLEST_MS) / GROWTH))
