/**
 * One capture, from its path to blocks of messages: opened, decompressed, recognised, parsed, decoded, and counted in its Capture
 * record. Blocks are pulled: nothing is read while nobody asks, so several captures can be merged in bounded memory.
 */
import type { Readable } from 'node:stream'
import { type Capture, type Messages, UserError } from '../model.ts'
import { decodeFrame, endDecoder, newDecoder } from '../wire/decode.ts'
import type { Frame } from '../wire/frame.ts'
import type { Issues } from '../wire/issues.ts'
import type { PortHints } from '../wire/ports.ts'
import type { Tables } from '../wire/tables.ts'
import { type Chunks, nameOf, openSource, peek, type Source } from './chunks.ts'
import { COMPRESSIONS, MOST_LAYERS } from './compression.ts'
import { Feed } from './feed.ts'
import { formatOf, HEAD, wantsMore } from './formats.ts'
import type { FlowSinks } from './hubble.ts'
import { Patience } from './patience.ts'
import { noActivity, noteSecond } from './pauses.ts'
import { noteMoment } from './reach.ts'

export interface ReadOptions {
  /** Messages keep their bytes, for those who print them whole. */
  keepBytes: boolean
  tables: Tables
  issues: Issues
  /** Aborted (Ctrl-C): reading stops, and what was read counts. */
  signal?: AbortSignal | undefined
  /** Bytes of all inputs together, as they are stored; the total is null where one is a pipe. */
  onProgress?: ((bytesRead: number, totalBytes: number | null) => void) | undefined
  /** Gets the records of all captures once they are open; they are counted on while reading. */
  onOpen?: ((captures: readonly Capture[]) => void) | undefined
  /** In place of the process's standard input. */
  stdin?: Readable | undefined
  /** Where flow logs leave names and conversations. */
  flows?: FlowSinks | undefined
  /** What the user says of ports. */
  ports?: PortHints | undefined
  /** In place of the decoder of wire/: tests and measurements. */
  newDecoder?: NewDecoder | undefined
  /** Bytes from which on a capture is decoded on a thread of its own, however few processors there are: for tests. */
  worthAThread?: number | undefined
}

/** An open capture whose rows are pulled, block after block. */
export interface Reader {
  readonly capture: Capture
  /** null where the input is a pipe. */
  readonly totalBytes: number | null
  /** The rows that the last `next` brought. */
  readonly messages: Messages
  /** Brings the next rows into `messages`, whose old ones are gone then. False: there are no more. */
  next: () => Promise<boolean>
  /** Gives back what is open, when reading ends early. */
  close: () => Promise<void>
}

/** What reading needs of a decoder: it appends rows to `messages` and counts each frame as DNS, part, other or issue. */
export interface FrameDecoder {
  messages: Messages
  decode: (frame: Frame) => void
  /** The capture has ended: what still waits for its rest goes out. */
  flush: () => void
  /** Somebody may be waiting at the other end of a live pipe: what is held back longer than it must goes out. `quiet`: nothing comes. */
  settle?: (quiet: boolean) => void
}

export type NewDecoder = (about: {
  file: number
  capture: Capture
  tables: Tables
  issues: Issues
  keepBytes: boolean
  flows?: FlowSinks | undefined
  ports?: PortHints | undefined
}) => FrameDecoder

/** The decoder of wire/. Its block would grow with the capture: here it is emptied in time. */
const dnsDecoder: NewDecoder = about => {
  const decoder = newDecoder(about)
  return {
    messages: decoder.messages,
    decode: frame => decodeFrame(decoder, frame),
    flush: () => endDecoder(decoder),
  }
}

const hasHead = (head: Buffer): boolean => head.length >= HEAD

/** Rows after which a block is handed over: a little less than it holds, since one frame may bring several. */
const ENOUGH = 4000

/** A pipe that brings nothing for this long is quiet, in milliseconds. */
const QUIET_MS = 1000

/** Starts reading `file`, the run's capture number `index`. A UserError where it cannot be opened or is no capture. */
export async function openCapture(file: string, index: number, options: ReadOptions): Promise<CaptureReader> {
  const reader = new CaptureReader(file, index, options)
  await reader.open()
  return reader
}

export class CaptureReader implements Reader {
  readonly capture: Capture
  /** null where the input is a pipe. */
  totalBytes: number | null = null
  private readonly index: number
  private readonly options: ReadOptions
  private source: Source | null = null
  private chunks!: Chunks
  private feed!: Feed
  private decoder!: FrameDecoder
  private state: 'reading' | 'flushing' | 'ended' = 'reading'
  private atEnd = false
  private patience: Patience | null = null
  /** When the decoder was last told to settle; on the wall's clock, as only a pipe is. */
  private settled = performance.now()
  private lastSeconds = Number.NEGATIVE_INFINITY
  private lastNanos = 0

  constructor(file: string, index: number, options: ReadOptions) {
    this.capture = newCapture(file)
    this.index = index
    this.options = options
  }

  /** The rows that the last `next` brought. */
  get messages(): Messages {
    return this.decoder.messages
  }

  async open(): Promise<void> {
    const { capture, options } = this
    const { issues, tables, keepBytes, flows, ports } = options
    const source = await openSource(capture.file, {
      signal: options.signal,
      stdin: options.stdin,
      onError: () => issues.add('read-failed', capture.file, null),
    })
    this.source = source
    this.totalBytes = source.totalBytes
    this.chunks = counted(source.chunks, capture)
    try {
      let opening = await peek(this.chunks, hasHead)
      this.chunks = opening.chunks
      for (let layer = 0; layer < MOST_LAYERS; layer++) {
        const compression = COMPRESSIONS.find(row => row.matches(opening.head))
        if (!compression) break
        capture.compression = layer === 0 ? compression.name : `${compression.name} in ${capture.compression}`
        if (compression.wantsDictionary?.(opening.head))
          throw new UserError(
            `${nameOf(capture.file)} is compressed with ${compression.name} and a dictionary: unpack it with "${compression.unpack} -D DICTIONARY".`,
          )
        opening = await peek(
          compression.decompress(opening.chunks, () => issues.add('compression-damaged', capture.file, null)),
          hasHead,
        )
        this.chunks = opening.chunks
        if (opening.head.length === 0)
          throw new UserError(
            `${nameOf(capture.file)} is compressed with ${compression.name}, and nothing can be unpacked of it; if "${compression.unpack}" can, pipe that into "dnstrail -".`,
          )
      }
      if (opening.head.length === 0 && options.signal?.aborted) {
        capture.interrupted = true
        this.state = 'ended'
        return
      }
      // As long as text may show what it is some lines on.
      opening = await peek(opening.chunks, head => head.length >= HEAD && !wantsMore(head))
      this.chunks = opening.chunks
      const format = formatOf(opening.head, capture.file)
      capture.format = format.name
      const newDecoder = options.newDecoder ?? format.newDecoder ?? dnsDecoder
      this.decoder = newDecoder({ file: this.index, capture, tables, issues, keepBytes, flows, ports })
      const parser = format.open({ capture, issues, onFrame: this.onFrame, onOther: this.onOther })
      this.feed = new Feed(parser)
    } catch (error) {
      await this.close()
      throw error
    }
  }

  /** Gives back what is open, when reading ends early. */
  async close(): Promise<void> {
    this.state = 'ended'
    await this.chunks.return()
    await this.source?.close()
  }

  /** Brings the next rows into `messages`, whose old ones are gone then. False: there are no more. */
  async next(): Promise<boolean> {
    if (this.state === 'ended') return false
    const { messages } = this.decoder
    messages.length = 0
    for (;;) {
      if (this.state === 'flushing') {
        this.state = 'ended'
        this.decoder.flush()
        await this.close()
        return messages.length > 0
      }
      if (this.feed.run(this.enough)) return true
      // What a pipe brought is handed over before waiting for more.
      if (messages.length > 0 && this.totalBytes === null && !this.atEnd) return true
      if (this.atEnd) {
        this.state = 'flushing'
        if (messages.length > 0) return true
        continue
      }
      await this.readChunk()
      if (messages.length > 0 && this.totalBytes === null) return true
    }
  }

  private async readChunk(): Promise<void> {
    const { signal } = this.options
    const result = signal?.aborted ? { value: undefined, done: true as const } : await this.nextChunk()
    if (result === null) return this.decoder.settle?.(true)
    const { value, done } = result
    if (signal?.aborted) this.capture.interrupted = true
    if (!done && !signal?.aborted) return this.feed.give(value)
    this.atEnd = true
    // Interrupted, the input has no end: what is unfinished then is no fault of the file.
    if (this.capture.interrupted) this.feed.give(Buffer.alloc(0))
    else this.feed.end()
  }

  /** Null: the pipe is quiet. A file always has its next chunk. */
  private nextChunk(): Promise<IteratorResult<Buffer, void> | null> {
    if (this.totalBytes !== null || !this.decoder.settle) return this.chunks.next()
    this.patience ??= new Patience(this.chunks, QUIET_MS)
    const now = performance.now()
    if (now - this.settled > QUIET_MS) {
      this.settled = now
      this.decoder.settle(false)
    }
    return this.patience.next()
  }

  private readonly enough = (): boolean => this.decoder.messages.length >= ENOUGH

  private readonly onFrame = (frame: Frame): boolean => {
    this.capture.frames++
    // The time of a line stands in what only its decoder reads.
    if (!Number.isNaN(frame.seconds)) this.noteTime(frame)
    this.decoder.decode(frame)
    return this.decoder.messages.length < ENOUGH
  }

  private readonly onOther = (): void => {
    this.capture.frames++
    this.capture.otherFrames++
  }

  private noteTime(frame: Frame): void {
    const { capture } = this
    const { seconds, nanos } = frame
    const before = this.lastSeconds - 1
    if (capture.last !== null && seconds > capture.last.seconds) noteSecond(capture, capture.last, frame)
    if (seconds < before || (seconds === before && nanos < this.lastNanos)) capture.clockStepsBack++
    this.lastSeconds = seconds
    this.lastNanos = nanos
    noteMoment(capture, frame)
  }
}

/** The record of a capture of which nothing is known yet. */
export const newCapture = (file: string): Capture => ({
  file,
  format: null,
  failure: null,
  compression: null,
  bytes: 0,
  frames: 0,
  dnsFrames: 0,
  partFrames: 0,
  otherFrames: 0,
  issueFrames: 0,
  messages: 0,
  multicastDns: 0,
  cutMessages: 0,
  cutFrames: 0,
  first: null,
  last: null,
  activity: noActivity(),
  dropped: null,
  clockStepsBack: 0,
  snapLength: null,
  interrupted: false,
  names: {},
  comments: [],
  filters: [],
  lines: null,
})

async function* counted(chunks: Chunks, capture: Capture): Chunks {
  for await (const chunk of chunks) {
    capture.bytes += chunk.length
    yield chunk
  }
}
