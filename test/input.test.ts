/** Inputs from end to end: files and pipes, compressed or not, one or several, readable or not. */
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, createWriteStream } from 'node:fs'
import { dirname, join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { readCaptures } from '../src/input/merge.ts'
import type { ReadOptions } from '../src/input/read.ts'
import { UserError } from '../src/model.ts'
import { Issues } from '../src/wire/issues.ts'
import { newTables } from '../src/wire/tables.ts'
import { NANOS, pcap, pcapng, written } from './files.ts'
import { frameRows, packets, type Seen } from './frames.ts'

/** Reads with a decoder that makes a row of every frame. `order` has [file, frame] of every row. */
async function read(files: string[], options: Partial<ReadOptions> = {}) {
  const frames: Seen[] = []
  const order: [file: number, frame: number][] = []
  const issues = new Issues()
  const captures = await readCaptures(
    files,
    { keepBytes: false, tables: newTables(), issues, newDecoder: frameRows(frames), ...options },
    (messages, row) => order.push([messages.file[row], messages.frame[row]]),
  )
  return { captures, frames, order, issues: issues.list.map(issue => `${issue.code} ${issue.count}`) }
}

const sentence = async (...files: string[]): Promise<string> => {
  const error: unknown = await read(files).catch((error: unknown) => error)
  expect(error).toBeInstanceOf(UserError)
  return (error as Error).message
}

/** What a command of the system makes of bytes; null where it is not installed. */
function through(command: string, args: string[], bytes: Buffer): Buffer | null {
  try {
    return execFileSync(command, args, { input: bytes, maxBuffer: 1 << 28, stdio: ['pipe', 'pipe', 'ignore'] })
  } catch {
    return null
  }
}

const joined = (...parts: (Buffer | null)[]): Buffer | null =>
  parts.includes(null) ? null : Buffer.concat(parts as Buffer[])

const many = packets(30_000)
const MANY = pcap(many, { magic: NANOS })

describe('a file', () => {
  test('is read whole and counted', async () => {
    const { captures, frames, order, issues } = await read([written('many.pcap', MANY)])
    expect(frames).toHaveLength(30_000)
    expect(frames.every((frame, i) => frame.hex === many[i].bytes.toString('hex'))).toBe(true)
    expect(order).toEqual(many.map((_, i) => [0, i + 1]))
    expect(captures).toMatchObject([
      {
        format: 'pcap',
        compression: null,
        bytes: MANY.length,
        frames: 30_000,
        first: { seconds: 1_700_000_000, nanos: 1000 },
        last: { seconds: 1_700_000_029, nanos: 999_001_000 },
        snapLength: 262_144,
        clockStepsBack: 0,
        interrupted: false,
      },
    ])
    expect(issues).toEqual([])
  })

  test('pcapng gives the same frames', async () => {
    const strip = (frames: Seen[]) => frames.map(({ interfaceIndex, ...frame }) => frame)
    const first = await read([written('same.pcap', MANY)])
    const second = await read([written('same.pcapng', pcapng(many, 'big'))])
    expect(strip(second.frames)).toEqual(strip(first.frames))
  })

  test('a clock that steps back is counted, and the first and last time are the outermost', async () => {
    const [a, b, c] = [packets(1, 100), packets(1, 50), packets(1, 70)]
    const { captures } = await read([written('steps.pcap', pcap([...a, ...b, ...c]))])
    expect(captures[0]).toMatchObject({ clockStepsBack: 1, first: { seconds: 50 }, last: { seconds: 100 } })
  })

  test('tells its progress', async () => {
    const calls: [number, number | null][] = []
    await read([written('progress.pcap', MANY)], { onProgress: (bytes, total) => calls.push([bytes, total]) })
    expect(calls.length).toBeGreaterThan(1)
    expect(calls.at(-1)).toEqual([MANY.length, MANY.length])
  })
})

describe.each([
  ['gzip', (bytes: Buffer) => gzipSync(bytes)],
  [
    'gzip of two members',
    (bytes: Buffer) => Buffer.concat([gzipSync(bytes.subarray(0, 999)), gzipSync(bytes.subarray(999))]),
  ],
  ['zstd', (bytes: Buffer) => through('zstd', ['-qc'], bytes)],
  ['zstd -19 --long', (bytes: Buffer) => through('zstd', ['-qc', '-19', '--long'], bytes)],
  [
    'zstd of two frames',
    (bytes: Buffer) =>
      joined(through('zstd', ['-qc'], bytes.subarray(0, 999)), through('zstd', ['-qc'], bytes.subarray(999))),
  ],
  [
    'xz of two streams',
    (bytes: Buffer) =>
      joined(through('xz', ['-qc'], bytes.subarray(0, 999)), through('xz', ['-qc'], bytes.subarray(999))),
  ],
  ['lz4', (bytes: Buffer) => through('lz4', ['-qc'], bytes)],
  [
    'lz4 with linked blocks and checksums',
    (bytes: Buffer) => through('lz4', ['-qc', '-9', '-BD', '-BX', '-B4'], bytes),
  ],
  ['lz4 legacy', (bytes: Buffer) => through('lz4', ['-qcl'], bytes)],
  ['xz', (bytes: Buffer) => through('xz', ['-qc'], bytes)],
])('%s', (name, compress) => {
  const bytes = compress(MANY)

  test.skipIf(bytes === null)('is unpacked as it is read', async () => {
    const { captures, frames, issues } = await read([written(`${name}.bin`, bytes!)])
    expect(issues).toEqual([])
    expect(frames).toHaveLength(30_000)
    expect(frames.every((frame, i) => frame.hex === many[i].bytes.toString('hex'))).toBe(true)
    expect(captures).toMatchObject([{ compression: name.split(' ')[0], format: 'pcap', bytes: bytes!.length }])
  })

  test.skipIf(bytes === null)('from a pipe, in small pieces', async () => {
    const pieces = Array.from({ length: Math.ceil(bytes!.length / 777) }, (_, i) =>
      bytes!.subarray(i * 777, (i + 1) * 777),
    )
    const { frames, issues } = await read(['-'], { stdin: Readable.from(pieces) })
    expect(issues).toEqual([])
    expect(frames).toHaveLength(30_000)
  })

  test.skipIf(bytes === null)('cut in the middle: what was unpacked counts', async () => {
    const { frames, issues } = await read([written(`${name}.cut`, bytes!.subarray(0, Math.floor(bytes!.length * 0.8)))])
    expect(frames.length).toBeGreaterThan(5_000)
    expect(frames.length).toBeLessThan(30_000)
    expect(issues).toContain('compression-damaged 1')
  })

  test.skipIf(bytes === null)('damaged in the middle: nothing throws, nothing hangs', async () => {
    const damaged = Buffer.from(bytes!)
    damaged.fill(0x5a, Math.floor(bytes!.length * 0.6), Math.floor(bytes!.length * 0.6) + 200)
    const { captures } = await read([written(`${name}.damaged`, damaged)])
    expect(captures[0].frames).toBe(captures[0].otherFrames)
  })
})

describe('a pipe', () => {
  test('gives its messages before it ends', async () => {
    const pipe = new PassThrough()
    const frames: Seen[] = []
    const reading = read(['-'], { stdin: pipe, newDecoder: frameRows(frames) })
    pipe.write(pcap(packets(2)))
    await expect.poll(() => frames.length).toBe(2)
    pipe.write(pcap(packets(3)).subarray(24))
    await expect.poll(() => frames.length).toBe(5)
    pipe.end()
    const { captures, order } = await reading
    expect(captures).toMatchObject([{ file: '-', format: 'pcap', frames: 5 }])
    expect(order).toHaveLength(5)
  })

  test('is let go of when the run is interrupted; what was read counts', async () => {
    const pipe = new PassThrough()
    const stop = new AbortController()
    const frames: Seen[] = []
    const reading = read(['-'], { stdin: pipe, signal: stop.signal, newDecoder: frameRows(frames) })
    pipe.write(pcap(packets(2)).subarray(0, -5))
    await expect.poll(() => frames.length).toBe(1)
    stop.abort()
    const { captures, issues } = await reading
    expect(captures).toMatchObject([{ frames: 1, interrupted: true }])
    expect(issues).toEqual([])
  })

  test('interrupted before anything came', async () => {
    const stop = new AbortController()
    const reading = read(['-'], { stdin: new PassThrough(), signal: stop.signal })
    setTimeout(() => stop.abort(), 20)
    expect((await reading).captures).toMatchObject([{ frames: 0, interrupted: true, format: null }])
  })
})

describe('a named pipe', () => {
  const fifo = join(dirname(written('x', Buffer.from('x'))), 'fifo')
  const made = spawnSync('mkfifo', [fifo]).status === 0

  test.skipIf(!made)('is read as it grows, and let go of when the run is interrupted', async () => {
    const stop = new AbortController()
    const frames: Seen[] = []
    const reading = read([fifo], { signal: stop.signal, newDecoder: frameRows(frames) })
    const writer = createWriteStream(fifo)
    writer.write(pcap(packets(2)))
    await expect.poll(() => frames.length).toBe(2)
    stop.abort()
    expect((await reading).captures).toMatchObject([{ frames: 2, interrupted: true }])
    writer.destroy()
  })
})

describe('several captures', () => {
  const at = (...seconds: number[]) => pcap(seconds.flatMap(second => packets(1, second)))

  test('become one stream in the order of time; of equal times the first file goes first', async () => {
    const a = written('a.pcap', at(1, 3, 3, 9))
    const b = written('b.pcap', at(2, 3, 4))
    const expected = [
      [0, 1],
      [1, 1],
      [0, 2],
      [0, 3],
      [1, 2],
      [1, 3],
      [0, 4],
    ]
    expect((await read([a, b])).order).toEqual(expected)
    const swapped = await read([b, a])
    expect(swapped.order).toEqual([
      [1, 1],
      [0, 1],
      [0, 2],
      [1, 2],
      [1, 3],
      [0, 3],
      [1, 4],
    ])
    expect(swapped.captures.map(capture => capture.file)).toEqual([b, a])
  })

  test('a ring-buffer set is in order whatever the order of its names', async () => {
    const parts = [0, 1, 2, 3].map(i => written(`ring.pcap${i}`, pcap(packets(9000, 1000 + 10 * i))))
    const { order } = await read([parts[2], parts[0], parts[3], parts[1]])
    expect(order).toHaveLength(36_000)
    expect(order.filter(([file], i) => i === 0 || order[i - 1][0] !== file).map(([file]) => file)).toEqual([1, 3, 0, 2])
  })

  test('of one length far beyond a block, interleaved', async () => {
    const files = [0, 1, 2].map(i => written(`long${i}.pcap`, pcap(packets(20_000, 1000 + i))))
    const { captures, order } = await read(files)
    expect(order).toHaveLength(60_000)
    expect(captures.map(capture => capture.frames)).toEqual([20_000, 20_000, 20_000])
  })

  test('standard input may be one of them', async () => {
    const { order } = await read([written('beside.pcap', at(1, 3)), '-'], { stdin: Readable.from([at(2)]) })
    expect(order).toEqual([
      [0, 1],
      [1, 1],
      [0, 2],
    ])
  })

  test('one that cannot be opened is left out', async () => {
    const { captures, order } = await read(['/no/such/file.pcap', written('good.pcap', at(1))])
    expect(captures.map(({ failure }) => failure)).toEqual(['There is no file /no/such/file.pcap.', null])
    expect(order).toEqual([[1, 1]])
  })

  test('the same file twice is a mistake', async () => {
    const file = written('twice.pcap', at(1))
    expect(await sentence(file, file)).toBe(`${file} is named twice.`)
  })
})

describe('what cannot be read is told in one sentence', () => {
  test('no file, a directory, an empty file', async () => {
    expect(await sentence('/no/such/file.pcap')).toBe('There is no file /no/such/file.pcap.')
    const folder = dirname(written('x', Buffer.from('x')))
    expect(await sentence(folder)).toContain('is a directory')
    expect(await sentence(written('empty.pcap', Buffer.alloc(0)))).toContain('is empty')
    expect(await sentence(written('empty.pcap.gz', gzipSync(Buffer.alloc(0))))).toContain('compressed with gzip')
  })

  test('pcap-over-IP', async () => {
    for (const url of ['TCP@10.0.0.1:57012', 'tcp://10.0.0.1:57012', 'rpcap://host/eth0'])
      expect(await sentence(url)).toBe(
        `${url} is pcap-over-IP, and dnstrail opens no connections: pipe it in with "nc HOST PORT | dnstrail -".`,
      )
  })

  test.skipIf(process.getuid?.() === 0)('no permission', async () => {
    const file = written('closed.pcap', MANY)
    chmodSync(file, 0)
    expect(await sentence(file)).toBe(`No permission to read ${file}.`)
  })

  test.each([
    ['text', 'IP 10.0.0.1.4444 > 10.0.0.2.53: 1+ A? a.example. (27)\n', /text file/],
    ['a system log', 'Oct  1 15:32:18 node-a kernel: eth0: link up\n', /text file/],
    ['snoop', 'snoop\0\0\0\0\0\0\x02\0\0\0\x04', /snoop file: convert it with "editcap -F pcapng IN OUT"/],
    ['netmon', 'GMBU\0\x02\x01\0aaaaaaaaaaaa', /Network Monitor/],
    ['Observer', 'ObserverPktBufferVersion=15.00\0\0\0', /Observer file: convert/],
    ['OmniPeek', '\x7fver\0\0\0\x04\x39\0\0\0\0\0\0\0', /OmniPeek or EtherPeek file: convert/],
    ['iptrace', 'iptrace 2.0\0\0\0\0\0', /iptrace file: convert/],
    ['nettl', 'TR\0\x64\0\0\0\0\0\0\0\x80/tmp', /nettl file: convert/],
    ['ERF', '\0\0\0\0\x10\x20\x30\x60\x02\x04\0\x50\0\0\0\x3c', /ERF file: convert/],
    ['CommView', '\x5d\0\x5d\0\0\xea\x07\x0b\x15\x03\x14\x1c\x90\x03\x05\0', /CommView file: convert/],
    ['dnstap', '\0\0\0\0\0\0\0\x22\0\0\0\x02\0\0\0\x01', /dnstap log/],
    ['JSON', '[1, 2, 3, 4, 5, 6, 7]', /JSON/],
    ['UTF-16', '\xff\xfe{\0"\0f\0', /Out-File/],
    ['zip', 'PK\x03\x04aaaaaaaaaaaaaaa', /zip archive/],
    ['bzip2', 'BZh91AY&SYaaaaaaaaaa', /bunzip2/],
    ['rubbish', '\x01\x02\x03\x04\x05\x06\x07\x08\x09\x00\x01\x02\x03\x04\x05\x06', /no capture that dnstrail knows/],
    [
      'bytes with a line of flows among them',
      `\x01\x02\x03\x04\x05\x06\x07\x08\x09\x00\x01\x02\x03\x04\x05\x06\nOct  1 15:32:18.120: shop/cart:39368 (ID:1) -> kube-system/coredns:53 (ID:2) to-endpoint FORWARDED (UDP)\n`,
      /no capture that dnstrail knows/,
    ],
    ['gzip of text', gzipSync('hello, world: no capture'), /text file/],
  ])('%s', async (name, bytes, expected) => {
    const buffer = Buffer.from(bytes as string, 'latin1')
    const file = written(`instead-${name.replaceAll(' ', '-')}`, typeof bytes === 'string' ? buffer : bytes)
    expect(await sentence(file)).toMatch(expected)
  })
})
