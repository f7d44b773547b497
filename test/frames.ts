/** Frames as tests look at them: what a parser handed over, copied, because the parser uses its one frame again. */
import { Feed } from '../src/input/feed.ts'
import type { CaptureParser, ParserContext } from '../src/input/parser.ts'
import { type NewDecoder, newCapture } from '../src/input/read.ts'
import type { Capture } from '../src/model.ts'
import type { Frame } from '../src/wire/frame.ts'
import { Issues } from '../src/wire/issues.ts'
import { newMessages } from '../src/wire/messages.ts'
import type { Packet } from './files.ts'

export interface Seen extends Omit<Frame, 'bytes' | 'start' | 'end'> {
  hex: string
}

export const seen = ({ bytes, start, end, ...rest }: Frame): Seen => ({
  ...rest,
  hex: bytes.toString('hex', start, end),
})

export interface Parsed {
  frames: Seen[]
  capture: Capture
  /** "file-cut 1" */
  issues: string[]
}

/** What a parser makes of a file that comes in chunks of a size. Each chunk is overwritten when it is used up, as a reader does. */
export function parsed(open: (context: ParserContext) => CaptureParser, file: Buffer, chunkSize = file.length): Parsed {
  const frames: Seen[] = []
  const capture = newCapture('test')
  const issues = new Issues()
  const context: ParserContext = {
    capture,
    issues,
    onFrame: frame => {
      capture.frames++
      frames.push(seen(frame))
      return frames.length % 3 !== 0
    },
    onOther: () => {
      capture.frames++
    },
  }
  const feed = new Feed(open(context))
  let before = 0
  /** The handler asks for a pause after every third frame. */
  const paused = () => {
    const now = Math.floor(frames.length / 3)
    const pause = now !== before
    before = now
    return pause
  }
  const run = () => {
    while (feed.run(paused));
  }
  for (let at = 0; at < file.length; at += chunkSize) {
    const chunk = Buffer.from(file.subarray(at, at + chunkSize))
    feed.give(chunk)
    run()
    chunk.fill(0xee)
  }
  feed.end()
  run()
  return { frames, capture, issues: issues.list.map(issue => `${issue.code} ${issue.count}`) }
}

/** A decoder that makes a row of every frame and knows nothing of DNS. */
export const frameRows =
  (frames: Seen[] = []): NewDecoder =>
  ({ file, capture }) => {
    const messages = newMessages(4096, false)
    return {
      messages,
      decode: frame => {
        capture.otherFrames++
        frames.push(seen(frame))
        const row = messages.length++
        messages.file[row] = file
        messages.frame[row] = frame.number
        messages.seconds[row] = frame.seconds
        messages.nanos[row] = frame.nanos
      },
      flush: () => undefined,
    }
  }

/** `count` packets a millisecond apart, each with its own bytes and length. */
export const packets = (count: number, seconds = 1_700_000_000): Packet[] =>
  Array.from({ length: count }, (_, i) => ({
    seconds: seconds + Math.floor(i / 1000),
    nanos: (i % 1000) * 1_000_000 + 1000,
    bytes: Buffer.alloc(40 + (i % 90), i + 1),
  }))
