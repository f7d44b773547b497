/**
 * Laws of reading, with the real decoder and the real captures of samples/: the container, the compression and the size of chunks
 * never change a message, and every frame is counted once.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { readCaptures } from '../src/input/merge.ts'
import { PcapParser } from '../src/input/pcap.ts'
import { type Capture, type Messages, UserError } from '../src/model.ts'
import { Issues } from '../src/wire/issues.ts'
import { newTables } from '../src/wire/tables.ts'
import { NANOS, type Packet, pcap, pcapng } from './files.ts'
import { parsed } from './frames.ts'

const SAMPLES = fileURLToPath(new URL('../samples', import.meta.url))
const samples = existsSync(SAMPLES)
  ? readdirSync(SAMPLES, { recursive: true, encoding: 'utf8' })
      .filter(name => name.endsWith('.pcap') && statSync(join(SAMPLES, name)).size < 300_000)
      .sort()
  : []

/** Columns that tell where a message was captured: a pcapng knows its interface, a pcap does not. */
const ABOUT_PLACE = new Set(['length', 'bytes', 'start', 'bytesLength', 'vantage', 'file'])

/** A row as text, ids and all: the tables of two runs grow in the same order. */
function textOf(messages: Messages, row: number): string {
  const columns = Object.entries(messages)
    .filter(([name]) => !ABOUT_PLACE.has(name))
    .map(([name, column]) => `${name}=${(column as Uint8Array)[row]}`)
  const from = messages.start[row]
  const bytes = Buffer.from(messages.bytes.subarray(from, from + messages.bytesLength[row])).toString('hex')
  return `${columns.join(' ')} ${bytes}`
}

interface Read {
  capture: Capture
  rows: string[]
  issues: string[]
}

async function read(stdin: Readable): Promise<Read> {
  const rows: string[] = []
  const issues = new Issues()
  const options = { keepBytes: true, tables: newTables(), issues, stdin }
  const [capture] = await readCaptures(['-'], options, (messages, row) => rows.push(textOf(messages, row)))
  return { capture, rows, issues: issues.list.map(issue => `${issue.code} ${issue.count} ${issue.firstFrame}`) }
}

function inChunks(bytes: Buffer, size: number): Readable {
  let at = 0
  return new Readable({
    read() {
      this.push(at < bytes.length ? bytes.subarray(at, at + size) : null)
      at += size
    },
    // Otherwise the stream would join small chunks again.
    highWaterMark: 1,
  })
}

const whole = (bytes: Buffer) => read(inChunks(bytes, bytes.length))

function expectCountedOnce(capture: Capture): void {
  const { frames, dnsFrames, partFrames, otherFrames, issueFrames } = capture
  expect(frames).toBe(dnsFrames + partFrames + otherFrames + issueFrames)
}

test.skipIf(samples.length > 0)('no captures here: samples/ is empty', () => {})

describe.each(samples)('%s', name => {
  const file = readFileSync(join(SAMPLES, name))
  const { frames } = parsed(context => new PcapParser(context), file)
  const linkType = frames[0].linkType
  const packets = frames.map(
    ({ seconds, nanos, wireLength, hex }): Packet => ({ seconds, nanos, wireLength, bytes: Buffer.from(hex, 'hex') }),
  )

  test('every frame is counted once, and there are messages', async () => {
    const { capture, rows } = await whole(file)
    expectCountedOnce(capture)
    expect(capture.frames).toBe(frames.length)
    expect(rows.length).toBeGreaterThan(0)
  })

  test.each([1, 7, 65_536])('in chunks of %d bytes', async size => {
    expect(await read(inChunks(file, size))).toEqual(await whole(file))
  })

  test('in another container, another byte order, compressed', async () => {
    const { rows } = await whole(file)
    const others = [
      pcapng(packets, 'little', linkType),
      pcapng(packets, 'big', linkType),
      pcap(packets, { order: 'big', magic: NANOS, linkType }),
      gzipSync(file),
    ]
    for (const other of others) expect((await whole(other)).rows).toEqual(rows)
  })
})

describe('a capture that is cut anywhere', () => {
  const name = samples.find(sample => sample.includes('search-chain'))

  test.skipIf(!name)('gives the first messages and counts every frame', { timeout: 60_000 }, async () => {
    const file = readFileSync(join(SAMPLES, name!))
    const { rows } = await whole(file)
    for (let length = 4; length < Math.min(file.length, 3000); length++) {
      const cut = await whole(file.subarray(0, length)).catch((error: unknown) => {
        if (error instanceof UserError) return null
        throw error
      })
      if (cut === null) continue
      expectCountedOnce(cut.capture)
      expect(cut.rows).toEqual(rows.slice(0, cut.rows.length))
    }
  })
})
