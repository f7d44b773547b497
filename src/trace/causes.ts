/**
 * Whose query it is that a forwarder sends: of several that wait for the same answer the one that made it ask. Rules H4 and H5 of the hop
 * rules that ARCHITECTURE.md describes.
 */
import type { Time } from '../model.ts'
import { ANSWERED, CLOCK_SLACK, isFinal, type Transaction, UNSEEN } from './transaction.ts'

/** A forwarder that has to ask on does so within this. */
const ASKED_ON: Time = 20e6
/** An answer may bear an earlier time than the one that it rests on by this much. */
const ANSWER_SLACK: Time = 0.2e6
/** A forwarder hands an answer on within this. */
const ANSWERED_SOON: Time = 10e6
/** A first try leaves the forwarder within this; a later one is a retry after silence. */
const FIRST_TRY: Time = 1e9
/** CoreDNS waits for each try this long, and tries again within so much of that. */
const RETRY_AFTER: Time = 2e9
const RETRY_PUNCTUAL: Time = 20e6

/** Forwarders behind forwarders. */
const DEEPEST = 8

/** The query of a stub resolver that set it all off. */
export function rootOf(t: Transaction): Transaction {
  let root = t
  for (let depth = 0; root.causes && depth < DEEPEST; depth++) root = root.causes[0]
  return root
}

/**
 * The asker that made it ask: of several the first that has no effect yet. CoreDNS does not coalesce, so each asker has its own query
 * upstream, in order (H4). A query long after the asker's is a retry for one that has an effect already (H5). One that had its answer
 * before this query, or before the answer to it, mostly had it from the cache: it comes behind those that waited. So does one that waited
 * on when the answer was there.
 */
export function chooseCause(possible: Transaction[], t: Transaction): Transaction | null {
  let best: Transaction | null = null
  let bestRank = Number.POSITIVE_INFINITY
  for (const c of possible) {
    const gap = Math.abs(t.start - lastQueryBefore(c, t.start))
    const effects = c.effects?.length ?? 0
    const fresh = effects === 0 || effects < queriesBefore(c, t.start)
    const sameId = c.dnsId === t.dnsId ? 0 : 1
    // First tries belong to askers without effects, in order; retries to askers whose effect is unanswered.
    const late = hasAnswered(c, t.start) ? 4e12 : 0
    const early = hadAnswerBefore(c, t) ? 5e11 : 0
    const silent = waitedOn(c, t) ? 3e11 : 0
    const due = effects > 0 && isRetryDue(c, t) ? -9e11 : 0
    const rank =
      (gap <= FIRST_TRY && fresh ? 0 : effects > 0 ? 1e12 : 2e12) + late + early + silent + due + sameId * 1e11 - gap
    if (rank < bestRank) {
      best = c
      bestRank = rank
    }
  }
  return best
}

/** A try was silent for as long as CoreDNS waits, and this one came when that was over, as the only one. */
function isRetryDue({ effects }: Transaction, t: Transaction): boolean {
  if (effects === null) return false
  for (const tried of effects) {
    const due = tried.start + RETRY_AFTER
    if (Math.abs(t.start - due) >= RETRY_PUNCTUAL || tried.end < due - RETRY_PUNCTUAL) continue
    if (!effects.some(other => Math.abs(other.start - due) < RETRY_PUNCTUAL)) return true
  }
  return false
}

const hadAnswerBefore = (c: Transaction, t: Transaction): boolean => c.end < t.start || c.end + ANSWER_SLACK < t.end

/** The forwarder had its answer, and did not hand it on to this one. */
const waitedOn = (c: Transaction, t: Transaction): boolean => !Number.isNaN(t.end) && !(c.end <= t.end + ANSWERED_SOON)

/** How often it was sent until then. */
function queriesBefore(t: Transaction, time: Time): number {
  let n = 1
  if (t.resent) for (const resent of t.resent) if (resent <= time + CLOCK_SLACK) n++
  return n
}

function lastQueryBefore(t: Transaction, time: Time): Time {
  let last = t.start
  if (t.resent) for (const resent of t.resent) if (resent <= time + CLOCK_SLACK) last = resent
  return last
}

/** An answer that the capture does not hold came at an unknown time: who asks on does so at once. */
export const hasAnswered = (c: Transaction, now: Time): boolean =>
  (c.state === UNSEEN ? c.lastQuery + ASKED_ON : c.end) + CLOCK_SLACK < now

/**
 * A query of a forwarder that was answered though the capture does not hold it: who had made it ask got an answer before the forwarder
 * could have tried again, and nothing else that it asked brought one.
 */
export function hadAnswer(t: Transaction): boolean {
  const cause = t.causes?.[0]
  if (cause === undefined || cause.state !== ANSWERED || t.retransmissions > 0) return false
  if (!isFinal(cause)) return false
  const took = cause.end - t.start
  if (!(took > ANSWER_SLACK && took < RETRY_AFTER - RETRY_PUNCTUAL)) return false
  return cause.effects?.every(x => x === t || !(x.end <= cause.end + CLOCK_SLACK)) === true
}
