/**
 * A decoding thread: reads captures, decodes them, and fills blocks of rows ahead of the thread that analyses them (decoder-threads.ts).
 * Of each capture there are a few blocks; when all of them are full it waits until one comes back.
 */
import { parentPort } from 'node:worker_threads'
import { UserError } from '../model.ts'
import { Issues } from '../wire/issues.ts'
import { type FromThread, type Opening, TO_CLOSE, TO_INTERRUPT, type ToThread } from './decoder-threads.ts'
import { type Columns, Outbox } from './handover.ts'
import { type CaptureReader, openCapture } from './read.ts'

const send = (message: FromThread): void => parentPort?.postMessage(message)

/** One capture. */
class Lane {
  private readonly lane: number
  private readonly blocks: Columns[]
  private readonly free: number[]
  private readonly interruption = new AbortController()
  private closed = false
  private wake: (() => void) | null = null

  constructor(lane: number, blocks: Columns[]) {
    this.lane = lane
    this.blocks = blocks
    this.free = blocks.map((_, i) => i)
  }

  async run({ file, index, ports }: Opening): Promise<void> {
    const { lane } = this
    const issues = new Issues()
    const outbox = new Outbox()
    try {
      const { signal } = this.interruption
      const reader = await openCapture(file, index, { keepBytes: false, tables: outbox.tables, issues, ports, signal })
      send({ lane, opened: { capture: reader.capture, totalBytes: reader.totalBytes } })
      // Lines of a flow log tell more than rows hold: they are not for a thread.
      if (reader.capture.lines !== null) return await reader.close()
      for (let more = true; more && !this.closed; ) {
        while (this.free.length === 0 && !this.closed) await new Promise<void>(resolve => (this.wake = resolve))
        const block = this.free.shift()
        if (block === undefined) break
        more = await this.fill(reader, block, outbox, issues)
      }
      await reader.close()
    } catch (error) {
      const { message } = error as Error
      send({ lane, failed: { message, isUserError: error instanceof UserError } })
    }
  }

  private async fill(reader: CaptureReader, block: number, outbox: Outbox, issues: Issues): Promise<boolean> {
    const { messages, capture } = reader
    const columns = this.blocks[block]
    Object.assign(messages, columns)
    const more = await reader.next()
    const isShared = messages.kind === columns.kind
    if (!isShared) this.free.push(block)
    const { length, answers, ...copies } = messages
    send({
      lane: this.lane,
      handover: {
        ...outbox.gather(capture, issues, !more),
        block: isShared ? block : null,
        copies: isShared ? null : copies,
        length: more ? length : 0,
        more,
      },
    })
    return more
  }

  /** A block was read, or TO_INTERRUPT, TO_CLOSE. */
  tell(what: number): void {
    if (what === TO_CLOSE) this.closed = true
    if (what === TO_CLOSE || what === TO_INTERRUPT) this.interruption.abort()
    else this.free.push(what)
    this.wake?.()
    this.wake = null
  }
}

const lanes = new Map<number, Lane>()

parentPort?.on('message', (message: ToThread) => {
  if ('opening' in message) {
    const lane = new Lane(message.lane, message.opening.blocks)
    lanes.set(message.lane, lane)
    void lane.run(message.opening).finally(() => lanes.delete(message.lane))
  } else lanes.get(message.lane)?.tell(message.what)
})
