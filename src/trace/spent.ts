/** Where a hop's wait went: to the network, to the server itself, to those that the server asked, and to what nothing explains. */
import type { Time } from '../model.ts'
import type { Places } from './places.ts'
import { Spans } from './spans.ts'
import { CLOCK_SLACK, isUntimed, type Transaction } from './transaction.ts'

/** In nanoseconds. The four add up to the wait. */
export interface Spent {
  /** From the client's end to the server's and back. */
  network: Time
  /** At the server, while it waited for nobody. */
  server: Time
  /** While at least one of the hops that it caused was open. */
  hops: Time
  /** Before the query that was answered was sent: an earlier one was lost, and nothing else happened. */
  unexplained: Time
}

/** The wait less the union of the intervals of the hops that were waited for, in milliseconds; null while there is no response. */
export function ownTimeOf(t: Transaction): number | null {
  if (isUntimed(t)) return null
  if (t.effects === null) return (t.end - t.start) / 1e6
  gather(t)
  return (t.end - t.start - spans.covered(t.start, t.end)) / 1e6
}

/** The network's part of the wait alone, in milliseconds; null unless both ends were captured. */
export function networkOf(t: Transaction, places: Places): number | null {
  return areEndsSeen(t, places) ? (t.lastQueryAtServer - t.lastQuery + t.end - t.responseAtServer) / 1e6 : null
}

/** Null unless the query and its response were seen at both ends. */
export function spentOf(t: Transaction, places: Places): Spent | null {
  if (!areEndsSeen(t, places)) return null
  const { start, lastQuery, lastQueryAtServer: arrived, responseAtServer: left, end } = t
  gather(t)
  const without = (from: Time, to: Time): Time => to - from - spans.covered(from, to)
  return {
    network: without(lastQuery, arrived) + without(left, end),
    server: without(arrived, left),
    hops: spans.covered(start, end),
    unexplained: without(start, lastQuery),
  }
}

function areEndsSeen(t: Transaction, places: Places): boolean {
  if (isUntimed(t) || !places.isClientsEnd(t)) return false
  const home = places.ofServer(t.server)
  if (home === null || !t.seenIn(home)) return false
  const { start, lastQuery, lastQueryAtServer: arrived, responseAtServer: left, end } = t
  return start <= lastQuery && lastQuery <= arrived && arrived <= left && left <= end
}

/** The intervals of the hops that were waited for; refreshes, which end later, are left out. */
function gather(t: Transaction): void {
  spans.clear()
  if (t.effects === null) return
  for (const effect of t.effects) {
    const end = Number.isNaN(effect.end) ? t.end : effect.end
    if (end <= t.end + CLOCK_SLACK) spans.add(effect.start, end)
  }
}

const spans = new Spans()
