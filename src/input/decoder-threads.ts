/**
 * Captures that are decoded on threads of their own, while this one analyses. A thread hands over blocks of rows in shared memory
 * (handover.ts); it is worth its start and its memory where there is much to decode and a processor for it.
 */
import { availableParallelism } from 'node:os'
import type { Worker } from 'node:worker_threads'
import { type Capture, type Messages, UserError } from '../model.ts'
import type { PortHints } from '../wire/ports.ts'
import { sizeOfFile } from './chunks.ts'
import { Blocks, type Handover, Inbox, newSharedBlocks, type SharedBlocks, sharedColumns } from './handover.ts'
import { newCapture, openCapture, type Reader, type ReadOptions } from './read.ts'

/** Bytes from which on a file is decoded on another thread: this thread would take 30 ms for them, as long as the other one takes to start. */
const WORTH_A_THREAD = 8 << 20
/**
 * With two processors V8 compiles and collects on the second one: a thread more bought 0 to 3 % of 1 M frames, 3 to 10 % of 4 M, and took
 * 15 to 25 MB.
 */
const ENOUGH_PROCESSORS = 4
/** More threads than this would wait for the analysis. */
const MOST_THREADS = 4
/** With more captures than this their shared blocks, one and a half megabytes each, would take too much memory. */
const MOST_FILES = 16
/** Megabytes; what a decoder makes dies at once. */
const NURSERY = 2

export interface Opening {
  file: string
  index: number
  ports: PortHints | undefined
  blocks: SharedBlocks
}

/** 'read': nobody waits for more of it, but what was read counts; 'close': nothing counts any more. */
type Stop = 'read' | 'close'

export type ToThread = { lane: number; opening: Opening } | { lane: number; stop: Stop }

export type FromThread =
  | { lane: number; opened: { capture: Capture; totalBytes: number | null } }
  | { lane: number; failed: { message: string; isUserError: boolean } }
  | { lane: number; handover: Handover }

/** What a thread runs: a file beside this one, in the modules and in the bundle. Tests run from the sources, where there is none. */
const isBuilt = /\.c?js$/.test(import.meta.url)
const WORKER = new URL(
  import.meta.url.endsWith('.cjs') ? './decoder-worker.cjs' : './decoder-worker.js',
  import.meta.url,
)

/** The decoding threads of a run, started when they are needed and stopped when they have nothing to do. */
export class DecoderThreads {
  private readonly options: ReadOptions
  private readonly threads: (Worker | null)[]
  private readonly readers = new Map<number, ThreadReader>()

  constructor(files: number, options: ReadOptions) {
    this.options = options
    const { keepBytes, newDecoder, worthAThread } = options
    // Who wants the messages' bytes, or another decoder, has it here.
    const none = !isBuilt || keepBytes || newDecoder !== undefined || files > MOST_FILES
    const processors = availableParallelism()
    const enough = processors >= ENOUGH_PROCESSORS || worthAThread !== undefined
    const most = none || !enough ? 0 : Math.min(files, processors - 1, MOST_THREADS)
    this.threads = new Array<Worker | null>(most).fill(null)
  }

  /** Opens a capture, on another thread where that is worth it. A UserError where it cannot be opened or is no capture. */
  async open(file: string, index: number): Promise<Reader> {
    const { worthAThread = WORTH_A_THREAD } = this.options
    const isWorthIt = this.threads.length > 0 && ((await sizeOfFile(file)) ?? 0) >= worthAThread
    return (isWorthIt ? await this.openThere(file, index) : null) ?? openCapture(file, index, this.options)
  }

  /** Null for what another thread does not read. */
  private async openThere(file: string, index: number): Promise<Reader | null> {
    const { ports, signal } = this.options
    const reader = new ThreadReader(file, this.options, () => this.stop(index, 'close'))
    this.readers.set(index, reader)
    const blocks = newSharedBlocks()
    await this.start(index)
    this.post(index, { lane: index, opening: { file, index, ports, blocks } })
    if (signal?.aborted) this.stop(index, 'read')
    else signal?.addEventListener('abort', () => this.stop(index, 'read'), { once: true })
    try {
      if (await reader.opened(blocks)) return reader
    } catch (error) {
      await reader.close()
      throw error
    }
    await reader.close()
    return null
  }

  /** Starts the capture's thread, unless it runs. What threads need is loaded by who needs it: most captures are small. */
  private async start(index: number): Promise<void> {
    const { threads, readers } = this
    const { Worker } = await import('node:worker_threads')
    const place = index % threads.length
    if (threads[place]) return
    const thread = new Worker(WORKER, { resourceLimits: { maxYoungGenerationSizeMb: NURSERY } })
    thread.on('message', (message: FromThread) => readers.get(message.lane)?.receive(message))
    thread.on('error', error => {
      for (const [lane, reader] of readers) if (lane % threads.length === place) reader.fail(error)
    })
    threads[place] = thread
  }

  private post(lane: number, message: ToThread): void {
    this.threads[lane % this.threads.length]?.postMessage(message)
  }

  private stop(lane: number, stop: Stop): void {
    this.post(lane, { lane, stop })
    if (stop !== 'close') return
    this.readers.delete(lane)
    const place = lane % this.threads.length
    for (const other of this.readers.keys()) if (other % this.threads.length === place) return
    void this.threads[place]?.terminate()
    this.threads[place] = null
  }
}

/** A capture that another thread decodes. */
class ThreadReader implements Reader {
  readonly capture: Capture
  totalBytes: number | null = null
  /** Always the same object, with one block's columns after the other. */
  readonly messages: Messages
  private readonly options: ReadOptions
  private readonly closed: () => void
  private readonly inbox: Inbox
  private blocks: Blocks | null = null
  /** The block whose rows are in `messages`. */
  private current: number | null = null
  private readonly waiting: Exclude<FromThread, { failed: unknown }>[] = []
  private failure: Error | null = null
  private wake: (() => void) | null = null
  private ended = false

  constructor(file: string, options: ReadOptions, closed: () => void) {
    this.capture = newCapture(file)
    this.options = options
    this.closed = closed
    this.inbox = new Inbox(options.tables)
    this.messages = { length: 0, ...sharedColumns() }
  }

  /** True once it is open; false for what is no capture of packets. */
  async opened(blocks: SharedBlocks): Promise<boolean> {
    this.blocks = new Blocks(blocks)
    const message = await this.receipt()
    if (!('opened' in message)) return false
    Object.assign(this.capture, message.opened.capture)
    this.totalBytes = message.opened.totalBytes
    return this.capture.lines === null
  }

  async next(): Promise<boolean> {
    if (this.ended) return false
    if (this.current !== null) this.blocks?.giveBack(this.current)
    this.current = null
    const message = await this.receipt()
    if (!('handover' in message)) return false
    const { handover } = message
    const { messages } = this
    this.current = handover.block
    Object.assign(messages, handover.block === null ? handover.copies : this.blocks?.columns[handover.block])
    messages.length = handover.length
    this.inbox.take(handover, messages, this.capture, this.options.issues)
    if (!handover.more) await this.close()
    return handover.more
  }

  async close(): Promise<void> {
    if (this.ended) return
    this.ended = true
    this.closed()
  }

  receive(message: FromThread): void {
    if ('failed' in message) {
      const { message: text, isUserError } = message.failed
      this.fail(isUserError ? new UserError(text) : new Error(text))
      return
    }
    this.waiting.push(message)
    this.wake?.()
    this.wake = null
  }

  fail(error: Error): void {
    this.failure = error
    this.wake?.()
    this.wake = null
  }

  /** What comes next from the thread. */
  private async receipt(): Promise<Exclude<FromThread, { failed: unknown }>> {
    for (;;) {
      const message = this.waiting.shift()
      if (message) return message
      if (this.failure) throw this.failure
      await new Promise<void>(resolve => (this.wake = resolve))
    }
  }
}
