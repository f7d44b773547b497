/** Numbers and lists as people read them: counts, shares, durations, bytes, times of day. Unknown (null) is an empty text everywhere. */

/** 1904 -> "1,904". */
export function count(value: number | null): string {
  if (value === null) return ''
  const digits = String(value)
  return digits.length < 4 ? digits : digits.replace(/\B(?=(\d{3})+$)/g, ',')
}

/** "1 query", "2 queries": the noun follows the number. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`
}

/** A share in percent that never rounds something to nothing, nor nearly everything to everything. */
export function share(part: number | null, whole: number): string {
  if (part === null || whole === 0) return ''
  const percent = (100 * part) / whole
  if (percent === 0) return '0 %'
  if (percent < 0.1) return '<0.1 %'
  if (percent < 9.95) return `${trimZeros(percent.toFixed(1))} %`
  if (percent > 99 && percent < 100) return `${(Math.floor(percent * 10) / 10).toFixed(1)} %`
  return `${Math.round(percent)} %`
}

/** A duration with its unit: 42 µs, 0.31 ms, 4.9 ms, 61 ms, 2.00 s, 5.006 s, 43.6 s, 12 min 4 s, 3 h 5 min. */
export function duration(ms: number | null): string {
  if (ms === null) return ''
  if (ms === 0) return '0 ms'
  if (ms < 0.0995) return `${Math.max(1, Math.round(ms * 1000))} µs`
  if (ms < 0.995) return `${ms.toFixed(2)} ms`
  if (ms < 9.95) return `${ms.toFixed(1)} ms`
  if (ms < 999.5) return `${Math.round(ms)} ms`
  // Just above a resolver's timer the last millisecond tells the timer from the rest: 5.006 s is one lost query and 6 ms.
  if (ms < 9_999.5) return `${(ms / 1000).toFixed(3).replace(/0$/, '')} s`
  if (ms < 119_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
  const minutes = Math.round(seconds / 60)
  return `${count(Math.floor(minutes / 60))} h ${minutes % 60} min`
}

/** A sum or quantile of durations: no more digits than it deserves. */
export function roughDuration(ms: number | null): string {
  return duration(ms === null ? null : Number(ms.toPrecision(3)))
}

/** A duration in milliseconds without its unit, for a table's column: 0.042, 0.31, 4.9, 61, 5,006. */
export function milliseconds(ms: number | null): string {
  if (ms === null) return ''
  if (ms === 0) return '0'
  if (ms < 0.0995) return ms.toFixed(3)
  if (ms < 0.995) return ms.toFixed(2)
  if (ms < 9.95) return ms.toFixed(1)
  return count(Math.round(ms))
}

/** Bytes in decimal units: 812 B, 38.2 KB, 1.2 GB. */
export function bytes(value: number | null): string {
  if (value === null) return ''
  let amount = value
  for (const unit of ['B', 'KB', 'MB', 'GB']) {
    if (amount < 999.5) return `${unit === 'B' || amount >= 99.95 ? Math.round(amount) : amount.toFixed(1)} ${unit}`
    amount /= 1000
  }
  return `${amount.toFixed(1)} TB`
}

/** "2026-11-21T02:51:09.200831178Z" -> "2026-11-21 02:51:09 UTC". */
export function dateAndTime(time: string | null): string {
  return time === null ? '' : `${time.slice(0, 10)} ${time.slice(11, 19)} UTC`
}

/** "2026-11-21T02:51:09.200831178Z" -> "02:51:09.200". */
export function timeOfDay(time: string | null): string {
  return time === null ? '' : time.slice(11, 23).replace(/Z$/, '')
}

/** "a, b and 3 more"; "a and b" where that is all. */
export function listed(all: readonly string[], most: number): string {
  if (all.length > most + 1) return `${all.slice(0, most).map(readable).join(', ')} and ${all.length - most} more`
  const names = all.map(readable)
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
}

/** A name of 250 characters hides the sentence that it stands in. */
const LONG_NAME = 72

const readable = (name: string): string =>
  name.length <= LONG_NAME ? name : `${name.slice(0, LONG_NAME / 2)}…${name.slice(1 - LONG_NAME / 2)}`

function trimZeros(digits: string): string {
  return digits.replace(/\.0$/, '')
}
