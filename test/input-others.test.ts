/**
 * Other people's readers and captures: what pcap-parser reads from a classic pcap, ours reads too; nothing that strangers have put
 * into a capture file makes it throw or hang. The folders beside the checkout are optional.
 */
import { existsSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as pcapParser from 'pcap-parser'
import { describe, expect, test } from 'vitest'
import { readCaptures } from '../src/input/merge.ts'
import { UserError } from '../src/model.ts'
import { Issues } from '../src/wire/issues.ts'
import { newTables } from '../src/wire/tables.ts'
import { frameRows, type Seen } from './frames.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

const capturesIn = (folder: string): string[] =>
  existsSync(join(ROOT, folder))
    ? readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
        .filter(name => /\.(pcap|pcapng|cap|dmp)(\d+)?(\.(gz|zst|lz4|xz))?$/.test(name))
        .map(name => join(folder, name))
        .sort()
    : []

/** Little or big endian, microseconds: all that pcap-parser knows. */
function isClassic(file: string): boolean {
  const head = Buffer.alloc(4)
  readSync(openSync(join(ROOT, file), 'r'), head, 0, 4, 0)
  return ['a1b2c3d4', 'd4c3b2a1'].includes(head.toString('hex'))
}

async function read(file: string) {
  const frames: Seen[] = []
  const issues = new Issues()
  const options = { keepBytes: false, tables: newTables(), issues, newDecoder: frameRows(frames) }
  const [capture] = await readCaptures([join(ROOT, file)], options, () => {})
  return { frames, capture, issues: issues.list }
}

type Row = [seconds: number, nanos: number, wireLength: number, hex: string]

function readByPcapParser(file: string): Promise<Row[]> {
  const rows: Row[] = []
  return new Promise((resolve, reject) => {
    const parser = pcapParser.parse(join(ROOT, file))
    parser.on('packet', ({ header, data }) => {
      const { timestampSeconds, timestampMicroseconds, originalLength } = header
      rows.push([timestampSeconds, timestampMicroseconds * 1000, originalLength, data.toString('hex')])
    })
    parser.on('end', () => resolve(rows))
    parser.on('error', reject)
  })
}

const ours = [...capturesIn('samples'), ...capturesIn('../shared/captures')].filter(isClassic)

describe('pcap-parser reads the same', () => {
  test.skipIf(ours.length > 0)('no captures here: samples/ is empty', () => {})

  test.each(ours)('%s', { timeout: 60_000 }, async file => {
    const { frames, issues } = await read(file)
    const rows = frames.map(({ seconds, nanos, wireLength, hex }): Row => [seconds, nanos, wireLength, hex])
    expect(rows.length).toBeGreaterThan(0)
    expect(issues).toEqual([])
    const theirs = await readByPcapParser(file)
    expect(rows.length).toBe(theirs.length)
    // One comparison of text: a difference of 100,000 objects would take minutes to print.
    expect(rows.map(String).join('\n') === theirs.map(String).join('\n')).toBe(true)
  })
})

describe("strangers' captures", () => {
  const strange = capturesIn('../shared/corpora/captures')

  test.skipIf(strange.length > 0)('the corpora are not beside this checkout', () => {})

  test.skipIf(strange.length === 0)(
    'are read without a throw, and every frame is counted',
    { timeout: 120_000 },
    async () => {
      const refused: string[] = []
      for (const file of strange) {
        const options = { keepBytes: true, tables: newTables(), issues: new Issues() }
        try {
          let rows = 0
          const [capture] = await readCaptures([join(ROOT, file)], options, () => rows++)
          const { frames, dnsFrames, partFrames, otherFrames, issueFrames } = capture
          expect(frames, file).toBe(dnsFrames + partFrames + otherFrames + issueFrames)
          expect(rows, file).toBeGreaterThanOrEqual(dnsFrames)
        } catch (error) {
          if (!(error instanceof UserError)) throw error
          refused.push(file)
        }
      }
      expect(refused).toEqual([])
    },
  )
})
