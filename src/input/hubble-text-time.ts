/**
 * The times that `hubble observe` prints for people: "Jan _2 15:04:05.000" without a year, or what --time-format asks for. All in UTC.
 * https://github.com/cilium/cilium/blob/main/hubble/pkg/time/time.go
 */

const DAY_MS = 86_400_000

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

const CLOCK = '(\\d\\d:\\d\\d:\\d\\d(?:\\.\\d{1,9})?)'
/** StampMilli. */
const STAMP = new RegExp(`^([A-Z][a-z]{2}) {1,2}(\\d{1,2}) ${CLOCK}$`)
const RFC_3339 = new RegExp(`^(\\d{4}-\\d\\d-\\d\\d)[T ]${CLOCK} ?(Z|[+-]\\d\\d:\\d\\d)?$`)
/** "Mon, 02 Jan 2006 15:04:05 -0700" */
const RFC_1123 = new RegExp(`^[A-Z][a-z]{2}, (\\d\\d) ([A-Z][a-z]{2}) (\\d{4}) ${CLOCK} ([+-]\\d\\d)(\\d\\d)$`)
const CLOCK_ALONE = new RegExp(`^${CLOCK}$`)

/** The time in RFC 3339; null where it is none. What the text leaves out is the latest that is not in the future of `now`. */
export function rfc3339(text: string, now: number): string | null {
  const stamp = STAMP.exec(text)
  if (stamp !== null) return withYear(MONTHS.indexOf(stamp[1]), Number(stamp[2]), stamp[3], now)
  const rfc = RFC_3339.exec(text)
  if (rfc !== null) return `${rfc[1]}T${rfc[2]}${rfc[3] ?? 'Z'}`
  const long = RFC_1123.exec(text)
  if (long !== null) {
    const month = MONTHS.indexOf(long[2]) + 1
    return month === 0 ? null : `${long[3]}-${two(month)}-${long[1]}T${long[4]}${long[5]}:${long[6]}`
  }
  const clock = CLOCK_ALONE.exec(text)
  if (clock === null) return null
  const today = new Date(now).toISOString().slice(0, 10)
  return Date.parse(`${today}T${clock[1].slice(0, 8)}Z`) <= now + DAY_MS / 24
    ? `${today}T${clock[1]}Z`
    : `${new Date(now - DAY_MS).toISOString().slice(0, 10)}T${clock[1]}Z`
}

function withYear(month: number, day: number, clock: string, now: number): string | null {
  if (month < 0 || day < 1 || day > 31) return null
  const latest = new Date(now + DAY_MS)
  // Back to the leap year before last, for the 29th of February.
  for (let year = latest.getUTCFullYear(); year > latest.getUTCFullYear() - 9; year--) {
    const date = new Date(Date.UTC(year, month, day))
    if (date.getUTCMonth() === month && date <= latest) return `${year}-${two(month + 1)}-${two(day)}T${clock}Z`
  }
  return null
}

const two = (number: number): string => String(number).padStart(2, '0')
