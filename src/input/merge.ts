/**
 * Several captures become one stream of messages in the order of their times. Each capture hands over a block of rows and waits, so
 * the memory does not depend on their length. A ring-buffer set (tcpdump -C, -W) needs no rule of its own: its times tell its order.
 */
import { type Capture, type Messages, UserError } from '../model.ts'
import { newMessages } from '../wire/messages.ts'
import { nameOf } from './chunks.ts'
import { type Clock, correctTimes } from './clocks.ts'
import { DecoderThreads } from './decoder-threads.ts'
import { newCapture, type Reader, type ReadOptions } from './read.ts'

/**
 * Reads all captures and calls `consume` for every message: one capture's in file order, several by time, and where times are equal
 * in the order of the files. The row is valid during the call. Returns the captures in the order that they were given. `clocks`: what
 * is known of theirs; without, they are taken for one.
 */
export async function readCaptures(
  files: string[],
  options: ReadOptions,
  consume: (messages: Messages, row: number) => void,
  clocks: Clock[] | null = null,
): Promise<Capture[]> {
  const twice = files.find((file, i) => files.indexOf(file) !== i)
  if (twice !== undefined) throw new UserError(`${nameOf(twice)} is named twice.`)
  const readers = await openAll(files, options)
  options.onOpen?.(readers.map(reader => reader.capture))
  // The same queries stand in packets and in flows of one time; packets tell more of them, flows who it was.
  const opened = readers.filter(reader => reader.capture.failure === null)
  const packets = opened.some(reader => reader.capture.lines === null)
  if (packets && opened.some(reader => reader.capture.lines !== null)) {
    const all = consume
    consume = (messages, row) => {
      if (readers[messages.file[row]].capture.lines === null) all(messages, row)
    }
  }
  const progress = progressOf(readers, options)
  try {
    if (readers.length === 1) await passThrough(readers[0], progress, consume)
    else await mergeByTime(readers, clocks, progress, consume)
  } finally {
    await Promise.all(readers.map(reader => reader.close()))
  }
  return readers.map(reader => reader.capture)
}

/** Of several, those that cannot be opened are left out, and their records say why. Where none can, all are closed again. */
async function openAll(files: string[], options: ReadOptions): Promise<Reader[]> {
  const threads = new DecoderThreads(files.length, options)
  const results = await Promise.allSettled(files.map((file, index) => threads.open(file, index)))
  const readers = results.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
  const failures: unknown[] = results.flatMap(result => (result.status === 'rejected' ? [result.reason] : []))
  // Our own mistake is nobody's bad file.
  const thrown = failures.find(reason => !(reason instanceof UserError)) ?? (readers.length === 0 ? failures[0] : null)
  if (thrown !== null && thrown !== undefined) {
    await Promise.all(readers.map(reader => reader.close()))
    throw thrown
  }
  return results.map((result, i) =>
    result.status === 'fulfilled' ? result.value : unreadable(files[i], (result.reason as UserError).message),
  )
}

/** In the place of a capture that could not be opened. */
const unreadable = (file: string, failure: string): Reader => ({
  capture: { ...newCapture(file), failure },
  totalBytes: 0,
  messages: newMessages(0, false),
  next: async () => false,
  close: async () => {},
})

function progressOf(readers: Reader[], options: ReadOptions): () => void {
  const { onProgress } = options
  if (!onProgress) return () => undefined
  let total: number | null = 0
  for (const { totalBytes } of readers) total = total === null || totalBytes === null ? null : total + totalBytes
  return () => {
    let read = 0
    for (const { capture } of readers) read += capture.bytes
    onProgress(read, total)
  }
}

async function passThrough(
  reader: Reader,
  progress: () => void,
  consume: (messages: Messages, row: number) => void,
): Promise<void> {
  while (await reader.next()) {
    const { messages } = reader
    for (let row = 0; row < messages.length; row++) consume(messages, row)
    progress()
  }
}

/** One capture's block and how far it has been handed on. */
interface Lane {
  reader: Reader
  messages: Messages
  row: number
}

async function mergeByTime(
  readers: Reader[],
  clocks: Clock[] | null,
  progress: () => void,
  consume: (messages: Messages, row: number) => void,
): Promise<void> {
  const next = async (reader: Reader): Promise<boolean> => {
    const more = await reader.next()
    if (more && clocks) correctTimes(reader.messages, clocks[readers.indexOf(reader)])
    return more
  }
  const started = await Promise.all(readers.map(next))
  /** In the order of the files, so that the first of equals is the right one. */
  let lanes: Lane[] = readers
    .filter((_, i) => started[i])
    .map(reader => ({ reader, messages: reader.messages, row: 0 }))
  while (lanes.length > 0) {
    const first = earliest(lanes, null)!
    const rival = earliest(lanes, first)
    const wins = rival !== null && lanes.indexOf(first) < lanes.indexOf(rival)
    const { messages } = first
    do consume(messages, first.row++)
    while (first.row < messages.length && (rival === null || comesBefore(first, rival, wins)))
    if (first.row < messages.length) continue
    first.row = 0
    if (!(await next(first.reader))) lanes = lanes.filter(lane => lane !== first)
    progress()
  }
}

function earliest(lanes: Lane[], except: Lane | null): Lane | null {
  let best: Lane | null = null
  for (const lane of lanes) {
    if (lane !== except && (best === null || comesBefore(lane, best, false))) best = lane
  }
  return best
}

/** Whether a's row is earlier than b's; `wins` decides where they are equal. */
function comesBefore(a: Lane, b: Lane, wins: boolean): boolean {
  const difference = a.messages.seconds[a.row] - b.messages.seconds[b.row]
  if (difference !== 0) return difference < 0
  const nanos = a.messages.nanos[a.row] - b.messages.nanos[b.row]
  return nanos === 0 ? wins : nanos < 0
}
