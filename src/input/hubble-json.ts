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
