/**
 * The conventions of the JSON that Hubble prints (protojson): zero values are absent, 64-bit numbers are strings, times are RFC 3339
 * with 0 to 9 digits of fraction. A line can come from anywhere, so every field is asked for its type before it is used.
 * https://protobuf.dev/programming-guides/json/
 */

export type Fields = Record<string, unknown>

const NO_FIELDS: Fields = {}
const NO_ITEMS: readonly unknown[] = []

export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A message; without fields where it is absent or something else. */
export const fieldsOf = (value: unknown): Fields => (isFields(value) ? value : NO_FIELDS)

export const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : NO_ITEMS)

export const textsOf = (value: unknown): string[] =>
  listOf(value).filter((item): item is string => typeof item === 'string')

/** Null where absent: an empty text is never printed. */
export const textOf = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null)

/** An integer, written as a number or as a string; null where absent or something else. Exact up to 2^53. */
export function integerOf(value: unknown): number | null {
  const number = typeof value === 'string' && /^-?\d{1,19}$/.test(value) ? Number(value) : value
  return typeof number === 'number' && Number.isInteger(number) ? number : null
}

/** Absent is zero, as for every number that protojson prints. */
export const countOf = (value: unknown): number => integerOf(value) ?? 0

export interface Moment {
  seconds: number
  nanos: number
}

const TIME = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:[Zz]|([+-]\d\d):?(\d\d))$/

/** Lines of a stream share their day, and reading one costs as much as the rest of the time. */
let day = ''
let daySeconds = 0

/** A time to the nanosecond; null where it is absent or no time. */
export function momentOf(value: unknown): Moment | null {
  if (typeof value !== 'string') return null
  const parts = TIME.exec(value)
  if (parts === null) return null
  if (parts[1] !== day) {
    const milliseconds = Date.parse(`${parts[1]}T00:00:00Z`)
    if (Number.isNaN(milliseconds)) return null
    day = parts[1]
    daySeconds = milliseconds / 1000
  }
  let seconds = daySeconds + Number(parts[2]) * 3600 + Number(parts[3]) * 60 + Number(parts[4])
  if (parts[6] !== undefined) {
    const hours = Number(parts[6])
    const minutes = Number(parts[7]) * (parts[6].startsWith('-') ? -1 : 1)
    seconds -= hours * 3600 + minutes * 60
  }
  return { seconds, nanos: parts[5] === undefined ? 0 : Number(parts[5].padEnd(9, '0')) }
}

const DASH = 0x2d
const COLON = 0x3a
const POINT = 0x2e
const LETTER_T = 0x54
const LETTER_Z = 0x5a
const QUOTE = 0x22

/** The day of the time that was read last, as the number 20261121, and the seconds at which it began. */
let dayRead = 0
let dayReadSeconds = 0

/**
 * Reads the time that stands at `at` in the form in which Hubble itself writes it, without a string being made. False: it is another
 * form, or none. The buffer may end anywhere: what is read behind it is no digit.
 */
export function readMoment(bytes: Uint8Array, at: number, into: Moment): boolean {
  const year = twoDigits(bytes, at) * 100 + twoDigits(bytes, at + 2)
  const month = twoDigits(bytes, at + 5)
  const date = twoDigits(bytes, at + 8)
  const hours = twoDigits(bytes, at + 11)
  const minutes = twoDigits(bytes, at + 14)
  const seconds = twoDigits(bytes, at + 17)
  // What is no digit makes them NaN, and no comparison with that holds.
  if (!(year >= 0 && month >= 1 && month <= 12 && date >= 1 && date <= 31)) return false
  if (!(hours <= 23 && minutes <= 59 && seconds <= 59)) return false
  if (bytes[at + 4] !== DASH || bytes[at + 7] !== DASH || bytes[at + 10] !== LETTER_T) return false
  if (bytes[at + 13] !== COLON || bytes[at + 16] !== COLON) return false
  let next = at + 19
  let nanos = 0
  if (bytes[next] === POINT) {
    const begin = ++next
    for (; bytes[next] >= 0x30 && bytes[next] <= 0x39 && next - begin < 9; next++)
      nanos = nanos * 10 + bytes[next] - 0x30
    if (next === begin) return false
    for (let digits = next - begin; digits < 9; digits++) nanos *= 10
  }
  if (bytes[next] !== LETTER_Z || bytes[next + 1] !== QUOTE) return false
  const day = year * 10_000 + month * 100 + date
  if (day !== dayRead) {
    const midnight = new Date(0).setUTCFullYear(year, month - 1, date)
    // The 31st of a month with 30 days is left to those who say what is wrong with it.
    if (new Date(midnight).getUTCDate() !== date) return false
    dayRead = day
    dayReadSeconds = midnight / 1000
  }
  into.seconds = dayReadSeconds + hours * 3600 + minutes * 60 + seconds
  into.nanos = nanos
  return true
}

/** NaN where they are none. */
function twoDigits(bytes: Uint8Array, at: number): number {
  const tens = bytes[at] - 0x30
  const ones = bytes[at + 1] - 0x30
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN
}
