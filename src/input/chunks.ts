/**
 * Where bytes come from: files in large blocks, pipes and standard input as they come. A chunk is valid until the next one is asked
 * for, because files are read into two blocks in turn: one is parsed while the other is being filled.
 */
import { createReadStream } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { stdin as processStdin } from 'node:process'
import { addAbortSignal, type Readable } from 'node:stream'
import { UserError } from '../model.ts'

export type Chunks = AsyncGenerator<Buffer, void, undefined>

export interface Source {
  chunks: Chunks
  /** null where the end is not known: a pipe. */
  totalBytes: number | null
}

/** Measured on 100 MB: 64 KiB 0.9 GB/s, 1 MiB 2.2 GB/s, 8 MiB no more than that. */
const BLOCK = 1 << 20

/** Of many files that are merged most only wait for their turn: the first look is small. */
const FIRST_BLOCK = 1 << 16

/** Opens a path, or standard input for "-". `onError`: reading failed halfway; what was read is used. */
export async function openSource(
  file: string,
  options: { signal?: AbortSignal | undefined; stdin?: Readable | undefined; onError: () => void },
): Promise<Source> {
  if (file === '-') return { chunks: streamChunks(options.stdin ?? processStdin, options), totalBytes: null }
  try {
    const about = await stat(file)
    if (about.isDirectory()) throw new UserError(`${file} is a directory; name the capture files in it.`)
    if (!about.isFile()) return { chunks: streamChunks(createReadStream(file), options), totalBytes: null }
    if (about.size === 0) throw new UserError(`${file} is empty: nothing was captured, or the capture was not copied.`)
    return { chunks: fileChunks(await open(file), about.size, options), totalBytes: about.size }
  } catch (error) {
    throw sentenceFor(error, file)
  }
}

async function* fileChunks(
  handle: FileHandle,
  size: number,
  options: { signal?: AbortSignal | undefined; onError: () => void },
): Chunks {
  let pending: Promise<{ bytesRead: number }> | null = null
  try {
    const first = Buffer.allocUnsafeSlow(Math.min(size, FIRST_BLOCK))
    const { bytesRead } = await handle.read(first, 0, first.length, null)
    if (bytesRead === 0) return
    yield first.subarray(0, bytesRead)
    let current = Buffer.allocUnsafeSlow(BLOCK)
    let other = Buffer.allocUnsafeSlow(BLOCK)
    pending = handle.read(current, 0, BLOCK, null)
    while (!options.signal?.aborted) {
      const { bytesRead } = await pending
      if (bytesRead === 0) return
      const full = current
      pending = handle.read(other, 0, BLOCK, null)
      yield full.subarray(0, bytesRead)
      current = other
      other = full
    }
  } catch {
    options.onError()
  } finally {
    // The block in flight must have landed before its memory and its file go.
    await pending?.catch(() => undefined)
    await handle.close()
  }
}

async function* streamChunks(
  stream: Readable,
  options: { signal?: AbortSignal | undefined; onError: () => void },
): Chunks {
  if (options.signal) addAbortSignal(options.signal, stream)
  try {
    for await (const chunk of stream) yield chunk as Buffer
  } catch {
    if (!options.signal?.aborted) options.onError()
  }
}

/** The first bytes of a source, at least `length` of them unless it ends before, and all of its chunks again. */
export async function peek(chunks: Chunks, length: number): Promise<{ head: Buffer; chunks: Chunks }> {
  let head: Buffer = Buffer.alloc(0)
  while (head.length < length) {
    const { value, done } = await chunks.next()
    if (done) break
    head = head.length === 0 ? value : Buffer.concat([head, value])
  }
  return { head, chunks: startingWith(head, chunks) }
}

async function* startingWith(head: Buffer, rest: Chunks): Chunks {
  try {
    if (head.length > 0) yield head
    yield* rest
  } finally {
    await rest.return()
  }
}

/** What the operating system said, as a sentence. */
function sentenceFor(error: unknown, file: string): unknown {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new UserError(`There is no file ${file}.`)
    case 'EACCES':
    case 'EPERM':
      return new UserError(`No permission to read ${file}.`)
    case 'EMFILE':
    case 'ENFILE':
      return new UserError(`Too many files at once: ${file} cannot be opened; join some with mergecap first.`)
    default:
      return error
  }
}
