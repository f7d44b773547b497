/**
 * Whether two numbers differ by more than chance. Every number here is a ratio of two sums (failed lookups of lookups, queries per
 * lookup, waits above a threshold of waits), known per stretch of time; how much the ratio varies from stretch to stretch tells how
 * much it would vary from capture to capture. https://en.wikipedia.org/wiki/Ratio_estimator
 */

export interface Sample {
  /** The two sums of one stretch of time: y of x. */
  y: number
  x: number
}

export interface Ratio {
  /** Null where there is no sample. */
  value: number | null
  x: number
  variance: number
  /** Stretches with a sample. */
  stretches: number
}

/** Fewer than this on one side say nothing. */
const LEAST_SAMPLES = 20
const LEAST_STRETCHES = 5

/** `isShare`: y is a part of x, so that a share of so many has at least the variance of independent draws. */
export function ratioOf(samples: readonly Sample[], isShare: boolean): Ratio {
  let x = 0
  let y = 0
  let stretches = 0
  for (const sample of samples) {
    if (sample.x === 0) continue
    x += sample.x
    y += sample.y
    stretches++
  }
  if (x === 0 || !Number.isFinite(y)) return { value: null, x, variance: Number.NaN, stretches }
  const value = y / x
  let squares = 0
  for (const sample of samples) if (sample.x > 0) squares += (sample.y - value * sample.x) ** 2
  const between = stretches > 1 ? ((stretches / (stretches - 1)) * squares) / (x * x) : Number.NaN
  return { value, x, variance: isShare ? Math.max(between, (value * (1 - value)) / x) : between, stretches }
}

/** The chance that two captures of the same thing differ at least so much, two-sided; null where too little was seen. */
export function chanceOf(before: Ratio, after: Ratio, isShare: boolean): number | null {
  if (before.value === null || after.value === null) return null
  if (Math.min(before.x, after.x) < LEAST_SAMPLES) return null
  if (Math.min(before.stretches, after.stretches) < LEAST_STRETCHES) return null
  const difference = after.value - before.value
  if (difference === 0) return 1
  let variance = before.variance + after.variance
  if (isShare) {
    // Where one side has none at all it shows no variance: then what both together would have.
    const both = (before.value * before.x + after.value * after.x) / (before.x + after.x)
    variance = Math.max(variance, both * (1 - both) * (1 / before.x + 1 / after.x))
  }
  if (!(variance > 0)) return 0
  const freedom =
    variance ** 2 / (before.variance ** 2 / (before.stretches - 1) + after.variance ** 2 / (after.stretches - 1))
  return twoSided(difference / Math.sqrt(variance), Number.isFinite(freedom) ? freedom : before.stretches - 1)
}

/** Student's t as a normal deviate (Hill's first approximation), then its two tails. */
function twoSided(t: number, freedom: number): number {
  const z = (Math.abs(t) * (1 - 1 / (4 * freedom))) / Math.sqrt(1 + (t * t) / (2 * freedom))
  return complementaryError(z / Math.SQRT2)
}

/** Abramowitz and Stegun 7.1.26, for x >= 0; absolute error below 2e-7. */
function complementaryError(x: number): number {
  const t = 1 / (1 + 0.3275911 * x)
  const series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
  return Math.max(0, Math.min(1, series * Math.exp(-x * x)))
}

/**
 * Which of many chances are small enough that all together are wrong in at most one of `1 / level` comparisons (Holm's rule): the more
 * rows are looked at, the more one of them stands out by chance.
 */
export function isBeyondChance(chances: readonly (number | null)[], level = 0.05): boolean[] {
  const tested = chances
    .map((chance, i) => ({ chance, i }))
    .filter((row): row is { chance: number; i: number } => row.chance !== null)
    .sort((a, b) => a.chance - b.chance)
  const beyond = chances.map(() => false)
  for (const [rank, { chance, i }] of tested.entries()) {
    if (chance * (tested.length - rank) > level) break
    beyond[i] = true
  }
  return beyond
}
