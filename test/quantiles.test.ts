/** Quantiles: within 1 % of the sample, and the timers of resolvers as everybody knows them. */
import { expect, test } from 'vitest'
import { roughDuration } from '../src/quantities.ts'
import { Histogram } from '../src/trace/quantiles.ts'

/** `ms` in the middle of shorter and longer ones. */
function median(ms: number): number {
  const histogram = new Histogram()
  for (const sample of [ms / 2, ms, ms * 2]) histogram.add(sample)
  return histogram.at(0.5) as number
}

test('a quantile is within 1 % of its sample', () => {
  for (let ms = 2e-3; ms < 1e6; ms *= 1.0037) expect(Math.abs(median(ms) / ms - 1), String(ms)).toBeLessThan(0.01)
})

test.each([
  [1_001, '1.00 s'],
  [2_503, '2.50 s'],
  [5_001, '5.00 s'],
  [5_006, '5.00 s'],
  [5_012, '5.00 s'],
  [10_009, '10.0 s'],
  [15_014, '15.0 s'],
  [20_020, '20.0 s'],
])('a timer that took %d ms is told as %s', (ms, text) => {
  expect(roughDuration(median(ms))).toBe(text)
})

test('two histograms become one as if all had been added to it', () => {
  const all = new Histogram()
  const parts = [new Histogram(), new Histogram()]
  for (let i = 0; i < 5_000; i++) {
    const ms = 0.01 * 1.0037 ** (i % 3_000)
    all.add(ms)
    parts[i % 2].add(ms)
  }
  parts[0].merge(parts[1])
  expect(parts[0].quantiles).toEqual(all.quantiles)
  expect(parts[0].count).toBe(all.count)
})
