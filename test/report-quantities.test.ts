/** Numbers as people read them. */
import { expect, test } from 'vitest'
import { bytes, count, duration, milliseconds, plural, roughDuration, share, timeOfDay } from '../src/quantities.ts'
import { shorten } from '../src/report/shorten.ts'

test.each([
  [0, '0 ms'],
  [0.0004, '1 µs'],
  [0.0421, '42 µs'],
  [0.31, '0.31 ms'],
  [0.999, '1.0 ms'],
  [4.9, '4.9 ms'],
  [9.96, '10 ms'],
  [61.3, '61 ms'],
  [999.7, '1.00 s'],
  [2000, '2.00 s'],
  [5006.2, '5.006 s'],
  [43_612, '43.6 s'],
  [724_000, '12 min 4 s'],
  [11_100_000, '3 h 5 min'],
  [null, ''],
])('%s ms is "%s"', (ms, text) => {
  expect(duration(ms)).toBe(text)
})

test.each([
  [0.042, '0.042'],
  [0.31, '0.31'],
  [4.94, '4.9'],
  [5006, '5,006'],
  [null, ''],
])('%s ms is "%s" in a column', (ms, text) => {
  expect(milliseconds(ms)).toBe(text)
})

test.each([
  [0, 5, '0 %'],
  [1, 10_000, '<0.1 %'],
  [1, 244, '0.4 %'],
  [162, 244, '66 %'],
  [9_999, 10_000, '99.9 %'],
  [5, 5, '100 %'],
  [null, 5, ''],
  [0, 0, ''],
])('%s of %s is "%s"', (part, whole, text) => {
  expect(share(part, whole)).toBe(text)
})

test('sums and quantiles have three digits', () => {
  expect(roughDuration(1904.2)).toBe('1.90 s')
})

test('bytes are decimal', () => {
  expect([812, 38_214, 999_499, 1_204_811, 3.6e9, null].map(bytes)).toEqual([
    '812 B',
    '38.2 KB',
    '999 KB',
    '1.2 MB',
    '3.6 GB',
    '',
  ])
})

test('counts have separators and their noun follows them', () => {
  expect([0, 999, 1904, 1_000_000, null].map(count)).toEqual(['0', '999', '1,904', '1,000,000', ''])
  expect([plural(1, 'query', 'queries'), plural(2000, 'query', 'queries'), plural(0, 'frame')]).toEqual([
    '1 query',
    '2,000 queries',
    '0 frames',
  ])
})

test('a time of day has milliseconds', () => {
  expect([timeOfDay('2026-11-21T02:51:09.200831178Z'), timeOfDay('2026-11-21T02:51:09Z'), timeOfDay(null)]).toEqual([
    '02:51:09.200',
    '02:51:09',
    '',
  ])
})

test('a long name loses its middle', () => {
  expect(shorten('inventory-api.eu-central-1.prod.payments.example.com', 24, 'tail')).toBe('inventory-ap…example.com')
  expect(shorten('shop/web-frontend-7f6b9c8d5-q9zlm', 24, 'head')).toBe('shop/web-frontend…-q9zlm')
  expect(shorten('short', 5, 'tail')).toBe('short')
  expect(shorten('short', 1, 'tail')).toBe('…')
  expect(shorten('short', 0, 'tail')).toBe('')
})
