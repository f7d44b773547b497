/** Waits for the chunks of a live pipe, but not for ever: while nothing comes, time has passed all the same. */
import type { Chunks } from './chunks.ts'

type Result = IteratorResult<Buffer, void>

/** Asks a pipe for its chunks, and does not wait longer than `ms` at a time. */
export class Patience {
  private readonly chunks: Chunks
  private readonly ms: number
  private asked = false
  private arrived: Result | null = null
  private failure: { error: unknown } | null = null
  private wake: (() => void) | null = null

  constructor(chunks: Chunks, ms: number) {
    this.chunks = chunks
    this.ms = ms
  }

  /** The next chunk; null where it has not come in time, and then it is still the next one. */
  next(): Promise<Result | null> {
    // Asked once, however often it is waited for: every wait would hang on the same promise, for days.
    if (!this.asked) this.ask()
    return new Promise((resolve, reject) => {
      const give = (): void => {
        clearTimeout(timer)
        this.wake = null
        const { arrived, failure } = this
        this.arrived = null
        if (arrived !== null) this.asked = false
        if (failure === null) resolve(arrived)
        else reject(failure.error)
      }
      const timer = setTimeout(give, this.ms)
      if (this.arrived !== null || this.failure !== null) give()
      else this.wake = give
    })
  }

  private ask(): void {
    this.asked = true
    this.chunks.next().then(
      result => {
        this.arrived = result
        this.wake?.()
      },
      (error: unknown) => {
        this.failure = { error }
        this.wake?.()
      },
    )
  }
}
