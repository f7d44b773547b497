/** When something happened in a lookup, and the long times in which nothing did: timers of resolvers that waited for what was lost. */
import { duration } from '../../quantities.ts'
import type { HopRecord } from '../record-types.ts'
import { millisecondsBetween } from './branches.ts'
import type { Shown } from './choice.ts'

/** Shorter than this it is a slow server. Resolvers' timers are whole or half seconds. */
const SILENCE_MS = 500
/** What begins within this after a silence ended it. */
const AT_ONCE_MS = 1

/** In milliseconds after the lookup's start. */
export interface Silence {
  from: number
  to: number
}

/** All times at which something begins, ends or is repeated. */
export function events({ lookup, hops }: Shown): number[] {
  const own = lookup.waitMs === null ? [0] : [0, lookup.waitMs]
  return own.concat(
    hops.flatMap(hop => {
      const begin = millisecondsBetween(lookup.start, hop.start)
      return [begin, ...hop.resentMs.map(ms => begin + ms), ...(hop.waitMs === null ? [] : [begin + hop.waitMs])]
    }),
  )
}

/** In order of time. */
export function silences(events: readonly number[]): Silence[] {
  const times = [...events].sort((a, b) => a - b)
  return times.flatMap((to, i) => (i > 0 && to - times[i - 1] >= SILENCE_MS ? [{ from: times[i - 1], to }] : []))
}

const MOST_SENTENCES = 4

/** "4.949 s, from 57 ms to 5.005 s; then T5 asks for A again". */
export function silenceSentences(shown: Shown): string[] {
  const all = silences(events(shown))
  const sentences = all
    .slice(0, MOST_SENTENCES)
    .map(({ from, to }) => `${duration(to - from)}, from ${duration(from)} to ${duration(to)}; then ${what(shown, to)}`)
  return all.length > MOST_SENTENCES ? [...sentences, `and ${all.length - MOST_SENTENCES} more`] : sentences
}

/** What ended the silence. */
function what({ lookup, hops }: Shown, time: number): string {
  const isNow = (ms: number) => ms >= time && ms <= time + AT_ONCE_MS
  const begin = (hop: HopRecord) => millisecondsBetween(lookup.start, hop.start)
  const first = (fits: (hop: HopRecord) => boolean) =>
    hops.filter(fits).sort((a, b) => Number(a.causedBy.length > 0) - Number(b.causedBy.length > 0))[0]
  const response = first(hop => hop.waitMs !== null && begin(hop) + hop.waitMs === time)
  if (response) return `the response of ${response.id} comes`
  const repeated = first(hop => hop.resentMs.some(ms => isNow(begin(hop) + ms)))
  if (repeated) return `${repeated.id} is sent again`
  const asked = first(hop => isNow(begin(hop)))
  if (asked === undefined) return 'the resolver gives up'
  const before = hops.some(
    hop =>
      begin(hop) < time && hop.qname === asked.qname && hop.qtype === asked.qtype && hop.from.role === asked.from.role,
  )
  return `${asked.id} asks for ${asked.qtype ?? 'the name'}${before ? ' again' : ` of ${asked.qname ?? 'a name'}`}`
}
