/**
 * Agreement with tshark: captures of strangers, which stand beside the checkout and are not part of it, with its reading of them.
 * docs/agreement.tsv names every message about which the two differ, and who is right.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { readCaptures } from '../src/input/merge.ts'
import { DNS_MESSAGE, NAME_CUT, TCP } from '../src/model.ts'
import { questionWire } from '../src/wire/answers.ts'
import { Issues } from '../src/wire/issues.ts'
import { newTables } from '../src/wire/tables.ts'
import { countedOnce } from './wire-rows.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const CORPORA = join(ROOT, '../shared/corpora')
const here = existsSync(join(CORPORA, 'dns-captures.tsv'))

const rowsOf = (file: string) =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map(line => line.split('\t'))
const captures = here ? rowsOf(join(CORPORA, 'dns-captures.tsv')).map(row => [row[0], row[row.length - 1]]) : []
const explained = new Set(
  rowsOf(join(ROOT, 'docs/agreement.tsv')).map(([capture, frame, id]) => `${capture} ${frame} ${id}`),
)

interface TsharkMessage {
  _end?: unknown
  frame: number
  t: string
  src: string
  sport: number
  dst: string
  dport: number
  id: number
  flags: number
  /** Null where the capture cut the header before. */
  counts: (number | null)[]
  qwire?: string
  qtype?: number
  malformed?: boolean
  cut?: unknown
}

const lower = (hex: string | null | undefined) =>
  hex?.replace(/../g, pair => {
    const byte = Number.parseInt(pair, 16)
    return byte > 64 && byte < 91 ? (byte + 32).toString(16) : pair
  }) ?? null

/** One line for a message; of a malformed or cut one only what stands before the trouble. */
const lineOf = (frame: number, id: number, ...rest: unknown[]) => [frame, id, ...rest].join(' ')

describe.skipIf(!here)(`as tshark reads it${here ? '' : ' (skipped: ../shared/corpora is not there)'}`, () => {
  test.each(captures)('%s', async (file, oracle) => {
    const theirs = gunzipSync(readFileSync(join(CORPORA, oracle)))
      .toString()
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as TsharkMessage)
      .filter(message => !message._end && !explained.has(`${file} ${message.frame} ${message.id}`))
    const bare = new Set(theirs.filter(m => m.malformed || m.cut).map(m => `${m.frame} ${m.id}`))
    const ours: string[] = []
    const tables = newTables()
    const options = { keepBytes: true, tables, issues: new Issues() }
    const [capture] = await readCaptures([join(CORPORA, 'captures', file)], options, (m, row) => {
      if (m.kind[row] !== DNS_MESSAGE || (m.fromPort[row] !== 53 && m.toPort[row] !== 53)) return
      const [frame, id] = [m.frame[row], m.dnsId[row]]
      if (explained.has(`${file} ${frame} ${id}`)) return
      const bytes = Buffer.from(m.bytes.buffer, m.start[row], m.bytesLength[row])
      const question = (m.state[row] & NAME_CUT) === 0 ? lower(questionWire(bytes, 0, bytes.length)) : null
      const ends = [
        tables.addresses.text(m.from[row]),
        m.fromPort[row],
        tables.addresses.text(m.to[row]),
        m.toPort[row],
      ]
      const head = [m.transport[row] === TCP ? 'tcp' : 'udp', ...ends, m.flags[row]]
      const counts = [m.qdcount[row], m.ancount[row], m.nscount[row], m.arcount[row]]
      const body = bare.has(`${frame} ${id}`) ? [] : [...counts, question, question === null ? null : m.qtype[row]]
      ours.push(lineOf(frame, id, ...head, ...body))
    })
    const expected = theirs.map(m => {
      const head = [m.t, m.src, m.sport, m.dst, m.dport, m.flags]
      const body = bare.has(`${m.frame} ${m.id}`)
        ? []
        : [...m.counts.map(count => count ?? 0), lower(m.qwire), m.qwire ? m.qtype : null]
      return lineOf(m.frame, m.id, ...head, ...body)
    })
    expect(ours.sort()).toEqual(expected.sort())
    expect(countedOnce(capture)).toBe(true)
  })
})
