/**
 * Compressed captures: recognised from their first bytes, decompressed as a stream. A row per format; what needs a package loads
 * it when the first such file comes. gzip: RFC 1952. Zstandard: RFC 8878. xz: https://tukaani.org/xz/xz-file-format.txt. LZ4: lz4.ts.
 */
import type { Chunks } from './chunks.ts'
import { LZ4_FRAME, LZ4_LEGACY, Lz4Decoder, SKIPPABLE } from './lz4.ts'

export interface Compression {
  name: string
  matches: (head: Buffer) => boolean
  /** The command that unpacks to standard output what we cannot. */
  unpack: string
  /** Whether nothing can be unpacked without a dictionary, which stands in another file. */
  wantsDictionary?: (head: Buffer) => boolean
  /** Ends early, after a call of `onDamage`, where the bytes cannot be decompressed any further. */
  decompress: (chunks: Chunks, onDamage: () => void) => Chunks
}

const ZSTD_FRAME = 0xfd2fb528

const word = (head: Buffer) => (head.length < 4 ? 0 : head.readUInt32LE(0))
const startsWith = (head: Buffer, ...bytes: number[]) => bytes.every((byte, i) => head[i] === byte)

export const COMPRESSIONS: Compression[] = [
  { name: 'gzip', matches: head => startsWith(head, 0x1f, 0x8b, 8), unpack: 'gzip -dc', decompress: gunzip },
  {
    name: 'zstd',
    matches: head => word(head) === ZSTD_FRAME || (word(head) & ~15) >>> 0 === SKIPPABLE,
    unpack: 'zstd -dc',
    wantsDictionary: head => word(head) === ZSTD_FRAME && (head[4] & 3) !== 0,
    decompress: unzstd,
  },
  {
    name: 'lz4',
    matches: head => word(head) === LZ4_FRAME || word(head) === LZ4_LEGACY,
    unpack: 'lz4 -dc',
    wantsDictionary: head => word(head) === LZ4_FRAME && (head[4] & 1) !== 0,
    decompress: unlz4,
  },
  {
    name: 'xz',
    matches: head => startsWith(head, 0xfd, 0x37, 0x7a, 0x58, 0x5a, 0),
    unpack: 'xz -dc',
    decompress: unxz,
  },
]

/** A file is at most compressed so often. */
export const MOST_LAYERS = 3

/** How much compressed input is expanded at once: what comes out waits in memory. */
const PIECE = 16_384

async function* gunzip(chunks: Chunks, onDamage: () => void): Chunks {
  const { createGunzip } = await import('node:zlib')
  const stream = createGunzip({ chunkSize: 1 << 18 })
  let output: Buffer[] = []
  let failed = false
  /** A failed stream never calls back: whoever waits for it is woken here. */
  let wake = () => {}
  // Taken as it is made, not through the stream's iterator: that forgets what it holds when an error comes.
  stream.on('data', (bytes: Buffer) => output.push(bytes))
  stream.on('error', () => {
    failed = true
    wake()
  })
  const taken = () => {
    const ready = output
    output = []
    return ready
  }
  try {
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length && !failed; at += PIECE) {
        const piece = chunk.subarray(at, at + PIECE)
        await new Promise<void>(resolve => {
          wake = resolve
          stream.write(piece, () => resolve())
        })
        yield* taken()
      }
      if (failed) break
    }
    if (!failed) {
      await new Promise<void>(resolve => {
        wake = resolve
        stream.on('end', resolve)
        stream.end()
      })
    }
    yield* taken()
    if (failed) onDamage()
  } finally {
    stream.destroy()
  }
}

async function* unzstd(chunks: Chunks, onDamage: () => void): Chunks {
  const { Decompress } = await import('fzstd')
  const output: Buffer[] = []
  const stream = new Decompress(bytes => output.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)))
  // The package keeps what it is given until a block is whole; a chunk of ours is valid for a moment only.
  const push = (piece: Buffer) => succeeds(() => stream.push(Uint8Array.from(piece)))
  const finish = () => succeeds(() => stream.push(new Uint8Array(0), true))
  yield* pushed(chunks, push, finish, output, onDamage)
}

async function* unlz4(chunks: Chunks, onDamage: () => void): Chunks {
  const output: Buffer[] = []
  // Copied, because the decoder's window moves on with the next block of the same push.
  const decoder = new Lz4Decoder(bytes => output.push(Buffer.from(bytes)))
  const push = (piece: Buffer) => decoder.push(piece)
  yield* pushed(chunks, push, () => decoder.finish(), output, onDamage)
}

/** Drives a decoder that is pushed to, puts what it makes into `output`, and says false where the bytes cannot be. */
async function* pushed(
  chunks: Chunks,
  push: (piece: Buffer) => boolean,
  finish: () => boolean,
  output: Buffer[],
  onDamage: () => void,
): Chunks {
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += PIECE) {
      const whole = push(chunk.subarray(at, at + PIECE))
      yield* output.splice(0)
      if (!whole) return onDamage()
    }
  }
  const whole = finish()
  yield* output.splice(0)
  if (!whole) onDamage()
}

function succeeds(call: () => void): boolean {
  try {
    call()
    return true
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
