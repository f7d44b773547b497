/**
 * Times in which a capture that is busy otherwise holds nothing: tcpdump was stopped, a piece of a ring was lost, the machine stood still.
 * What was open then looks lost, and nothing but the silence tells. A capture of few clients is silent now and then by itself.
 */
import type { Activity, Capture, Moment, Pause } from '../model.ts'

/** Seconds. Shorter silences are everywhere. */
const MIN_PAUSE = 3
/** A capture with more of them is of somebody who asks now and then. */
const MOST_PAUSES = 4
/** On both sides, so many seconds with frames, ... */
const MIN_SECONDS = 10
/** ... and so many frames a pause would have held, at the rate of the rest: none of them by chance. */
const MIN_MISSED = 100
/** So many of the other seconds may be empty. */
const FEW = 0.02

export const noActivity = (): Activity => ({ seconds: 0, empty: 0, pauses: [] })

/** A frame came in a later second than all before. */
export function noteSecond({ activity, frames }: Capture, last: Moment, next: Moment): void {
  const empty = next.seconds - last.seconds - 1
  activity.seconds++
  if (next.seconds + next.nanos / 1e9 - (last.seconds + last.nanos / 1e9) < MIN_PAUSE) activity.empty += empty
  else if (activity.pauses.length <= MOST_PAUSES)
    activity.pauses.push({
      from: { seconds: last.seconds, nanos: last.nanos },
      until: { seconds: next.seconds, nanos: next.nanos },
      framesBefore: frames - 1,
      secondsBefore: activity.seconds,
    })
}

/** The pauses of a capture, and how many frames a second came otherwise; none where silence is usual. */
export function pausesOf({ activity, frames }: Capture): { pauses: Pause[]; rate: number } {
  const { pauses, empty } = activity
  // The last second has not been left.
  const seconds = activity.seconds + 1
  const rate = frames / seconds
  if (pauses.length === 0 || pauses.length > MOST_PAUSES || empty > FEW * seconds) return { pauses: [], rate }
  const isReal = ({ from, until, framesBefore, secondsBefore }: Pause, i: number): boolean => {
    const before = pauses[i - 1]
    const after = pauses[i + 1]
    const lasted = until.seconds - from.seconds
    const usual = Math.min(
      rateOf(framesBefore - (before?.framesBefore ?? 0), secondsBefore - (before?.secondsBefore ?? 0)),
      rateOf((after?.framesBefore ?? frames) - framesBefore, (after?.secondsBefore ?? seconds) - secondsBefore),
    )
    return usual * lasted >= MIN_MISSED
  }
  // Where one of them is no more than a silence, so may the others be.
  return { pauses: pauses.every(isReal) ? pauses : [], rate }
}

/** Frames a second in a stretch of a capture; 0 in one that is too short to tell. */
const rateOf = (frames: number, seconds: number): number => (seconds < MIN_SECONDS ? 0 : frames / seconds)
