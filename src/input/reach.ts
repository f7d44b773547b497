/** From when to when a capture or a flow log reaches. */
import type { Capture, Moment } from '../model.ts'

/** It reaches from its earliest to its latest time, in whatever order its frames or lines stand. */
export function noteMoment(capture: Capture, { seconds, nanos }: Moment): void {
  const { first, last } = capture
  if (first === null || last === null) {
    capture.first = { seconds, nanos }
    capture.last = { seconds, nanos }
  } else if (seconds > last.seconds || (seconds === last.seconds && nanos > last.nanos)) {
    last.seconds = seconds
    last.nanos = nanos
  } else if (seconds < first.seconds || (seconds === first.seconds && nanos < first.nanos)) {
    first.seconds = seconds
    first.nanos = nanos
  }
}
