/**
 * Compressed captures: recognised from their first bytes, decompressed as a stream. A row per format; what needs a package loads
 * it when the first such file comes. gzip: RFC 1952. Zstandard: RFC 8878. xz: https://tukaani.org/xz/xz-file-format.txt. LZ4: lz4.ts.
 */
import { createGunzip } from 'node:zlib'
import type { Chunks } from './chunks.ts'
import { LZ4_FRAME, LZ4_LEGACY, Lz4Decoder, SKIPPABLE } from './lz4.ts'

export interface Compression {
  name: string
  matches: (head: Buffer) => boolean
  /** Ends early, after a call of `onDamage`, where the bytes cannot be decompressed any further. */
  decompress: (chunks: Chunks, onDamage: () => void) => Chunks
}

const word = (head: Buffer) => (head.length < 4 ? 0 : head.readUInt32LE(0))
const startsWith = (head: Buffer, ...bytes: number[]) => bytes.every((byte, i) => head[i] === byte)

export const COMPRESSIONS: Compression[] = [
  { name: 'gzip', matches: head => startsWith(head, 0x1f, 0x8b, 8), decompress: gunzip },
  {
    name: 'zstd',
    matches: head => word(head) === 0xfd2fb528 || (word(head) & ~15) >>> 0 === SKIPPABLE,
    decompress: unzstd,
  },
  { name: 'lz4', matches: head => word(head) === LZ4_FRAME || word(head) === LZ4_LEGACY, decompress: unlz4 },
  { name: 'xz', matches: head => startsWith(head, 0xfd, 0x37, 0x7a, 0x58, 0x5a, 0), decompress: unxz },
]

/** How much compressed input is expanded at once: what comes out waits in memory. */
const PIECE = 16_384

async function* gunzip(chunks: Chunks, onDamage: () => void): Chunks {
  const stream = createGunzip({ chunkSize: 1 << 18 })
  let output: Buffer[] = []
  let failed = false
  // Taken as it is made, not through the stream's iterator: that forgets what it holds when an error comes.
  stream.on('data', (bytes: Buffer) => output.push(bytes))
  const ended = new Promise<void>(resolve => {
    stream.on('end', resolve)
    stream.on('error', () => {
      failed = true
      resolve()
    })
  })
  try {
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length && !failed; at += PIECE) {
        const piece = chunk.subarray(at, at + PIECE)
        await new Promise<void>(resolve => stream.write(piece, () => resolve()))
        const ready = output
        output = []
        yield* ready
      }
      if (failed) break
    }
    if (!failed) stream.end()
    await ended
    yield* output
    if (failed) onDamage()
  } finally {
    stream.destroy()
  }
}

async function* unzstd(chunks: Chunks, onDamage: () => void): Chunks {
  const { Decompress } = await import('fzstd')
  let output: Buffer[] = []
  const stream = new Decompress(bytes => output.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)))
  yield* pushed(
    chunks,
    // The package keeps what it is given until a block is whole; a chunk of ours is valid for a moment only.
    piece => stream.push(Uint8Array.from(piece)),
    () => {
      stream.push(new Uint8Array(0), true)
      return true
    },
    () => {
      const ready = output
      output = []
      return ready
    },
    onDamage,
  )
}

async function* unlz4(chunks: Chunks, onDamage: () => void): Chunks {
  let output: Buffer[] = []
  // Copied, because the decoder's window moves on with the next block of the same push.
  const decoder = new Lz4Decoder(bytes => output.push(Buffer.from(bytes)))
  yield* pushed(
    chunks,
    piece => decoder.push(piece),
    () => decoder.finish(),
    () => {
      const ready = output
      output = []
      return ready
    },
    onDamage,
  )
}

/** Drives a decoder that is pushed to and says "cannot be" by throwing: once per file, so that costs nothing. */
async function* pushed(
  chunks: Chunks,
  push: (piece: Buffer) => void,
  finish: () => boolean,
  take: () => Buffer[],
  onDamage: () => void,
): Chunks {
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += PIECE) {
      const whole = attempt(() => {
        push(chunk.subarray(at, at + PIECE))
        return true
      })
      yield* take()
      if (!whole) return onDamage()
    }
  }
  const whole = attempt(finish)
  yield* take()
  if (!whole) onDamage()
}

function attempt(call: () => boolean): boolean {
  try {
    return call()
  } catch {
    return false
  }
}

async function* unxz(chunks: Chunks, onDamage: () => void): Chunks {
  // A CommonJS package: node gives it as the default, its types do not say so.
  const loaded = (await import('xz-decompress')) as unknown as { default: typeof import('xz-decompress') }
  const { XzReadableStream } = loaded.default
  const compressed = new ReadableStream<Uint8Array>(
    {
      pull: async controller => {
        const { value, done } = await chunks.next()
        if (done) controller.close()
        else controller.enqueue(Uint8Array.from(value))
      },
    },
    { highWaterMark: 0 },
  )
  const reader = new XzReadableStream(compressed).getReader()
  try {
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return
      yield Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    }
  } catch {
    onDamage()
  } finally {
    await reader.cancel().catch(() => undefined)
    await chunks.return()
  }
}
