/**
 * A decoding thread: reads captures, decodes them, and fills blocks of rows ahead of the thread that analyses them (decoder-threads.ts).
 * Each capture has a few blocks; when all of them are full it waits until one comes back.
 */
import { setTimeout } from 'node:timers/promises'
import { parentPort } from 'node:worker_threads'
import { NONE, UserError } from '../model.ts'
import { Issues } from '../wire/issues.ts'
import type { FromThread, Opening, ToThread } from './decoder-threads.ts'
import { Blocks, Outbox } from './handover.ts'
import { type CaptureReader, openCapture } from './read.ts'

const send = (message: FromThread): void => parentPort?.postMessage(message)

/** How often it is looked for a block that came back, in milliseconds. To be woken up would cost the other thread 0.3 ms a block. */
const LOOK_MS = 3

/** One capture. */
class Lane {
  private readonly lane: number
  private readonly blocks: Blocks
  private readonly interruption = new AbortController()
  private closed = false

  constructor(lane: number, blocks: Blocks) {
    this.lane = lane
    this.blocks = blocks
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
        const block = this.blocks.takeFree()
        if (block === NONE) await setTimeout(LOOK_MS)
        else more = await this.fill(reader, block, outbox, issues)
      }
      await reader.close()
    } catch (error) {
      const { message } = error as Error
      send({ lane, failed: { message, isUserError: error instanceof UserError } })
    }
  }

  private async fill(reader: CaptureReader, block: number, outbox: Outbox, issues: Issues): Promise<boolean> {
    const { messages, capture } = reader
    const columns = this.blocks.columns[block]
    Object.assign(messages, columns)
    const more = await reader.next()
    const isShared = messages.kind === columns.kind
    if (!isShared) this.blocks.giveBack(block)
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

  stop(isOver: boolean): void {
    if (isOver) this.closed = true
    this.interruption.abort()
  }
}

const lanes = new Map<number, Lane>()

parentPort?.on('message', (message: ToThread) => {
  if ('opening' in message) {
    const lane = new Lane(message.lane, new Blocks(message.opening.blocks))
    lanes.set(message.lane, lane)
    void lane.run(message.opening).finally(() => lanes.delete(message.lane))
  } else lanes.get(message.lane)?.stop(message.stop === 'close')
})
