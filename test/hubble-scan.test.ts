/** Records that are read where they lie: whatever a line holds, what comes of it is what JSON.parse's reading gives. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { randomSource } from '../bench/random.js'
import { Conversations } from '../src/input/hubble-conversations.ts'
import type { NamedAddress } from '../src/input/hubble-identity.ts'
import { FlowScan } from '../src/input/hubble-scan.ts'
import { readCaptures } from '../src/input/merge.ts'
import type { Capture } from '../src/model.ts'
import { Issues } from '../src/wire/issues.ts'
import { newTables } from '../src/wire/tables.ts'

const FIXTURES = fileURLToPath(new URL('fixtures/hubble', import.meta.url))
const LINES = readdirSync(FIXTURES)
  .flatMap(name => readFileSync(join(FIXTURES, name), 'latin1').trim().split('\n'))
  .filter(line => line.includes('"dns":{'))

/** All that is made of the lines. */
async function read(lines: string[]): Promise<unknown> {
  const told: NamedAddress[] = []
  const rows: unknown[] = []
  const tables = newTables()
  const issues = new Issues()
  const flows = { learn: (named: NamedAddress) => told.push(named), conversations: new Conversations() }
  // A first flow that is none, so that a log of damaged lines alone is a log.
  const stdin = Readable.from([Buffer.from(`{"flow":{}}\n${lines.join('\n')}\n`, 'latin1')])
  const [capture] = await readCaptures(['-'], { keepBytes: false, tables, issues, stdin, flows }, (m, i) => {
    const numbers = [
      m.kind,
      m.seconds,
      m.nanos,
      m.frame,
      m.transport,
      m.fromPort,
      m.toPort,
      m.flags,
      m.rcode,
      m.ancount,
    ]
    const more = [m.qtype, m.content, m.addresses, m.recordTtl]
    rows.push([...numbers, ...more].map(column => column[i]))
    rows.push([tables.addresses.text(m.from[i]), tables.addresses.text(m.to[i]), tables.vantages.list[m.vantage[i]]])
    rows.push(
      [m.qname[i], m.cname[i]].map(name => (name < 0 ? null : tables.names.text(name))),
      m.answers?.[i],
    )
  })
  const { lines: counts, first, last } = capture as Capture
  return { rows, told, counts, first, last, issues: issues.list }
}

const PIECES = [
  '"',
  '{',
  '}',
  ',',
  ':',
  '[',
  ']',
  'null',
  'true',
  '0',
  '01',
  '-1',
  '1e3',
  '"x"',
  '{}',
  '\\u0041',
  '\\q',
  ' ',
  '\x7f',
  'é',
]
const FIELDS = [
  '"pod_name":"z",',
  '"source":"1.2.3.4",',
  '"IP":{},',
  '"type":"REQUEST",',
  '"dns":{"query":"a."},',
  '"l7":{},',
]

function damaged(line: string, next: () => number): string {
  const at = next() % line.length
  const pieces = next() % 2 ? PIECES : FIELDS
  switch (next() % 3) {
    case 0:
      return line.slice(0, at) + pieces[next() % pieces.length] + line.slice(at)
    case 1:
      return line.slice(0, at) + line.slice(at + 1 + (next() % 6))
    default:
      return line.slice(0, at) + String.fromCharCode(next() % 256) + line.slice(at + 1)
  }
}

test('damaged lines, fields twice, escapes: the same as from JSON.parse', { timeout: 30_000 }, async () => {
  const next = randomSource(2026)
  for (let round = 0; round < 400; round++) {
    const lines = Array.from({ length: 6 }, () => {
      let line = LINES[next() % LINES.length]!
      for (let times = next() % 4; times > 0; times--) line = damaged(line, next)
      return line.replaceAll(/[\r\n]/g, '')
      // What has no DNS in it any more is turned away unread.
    }).filter(line => line.startsWith('{"flow":{"') && line.includes('"dns":{'))
    // A blank before it, and the line is not in Hubble's own form.
    expect(await read(lines)).toEqual(await read(lines.map(line => ` ${line}`)))
  }
})

test('a comma too many among the ports is no JSON', () => {
  const line = LINES[0]!
  const scan = new FlowScan()
  const reads = (text: string) => scan.read(Buffer.from(text), 0, text.length)
  expect(reads(line)).toBe(true)
  expect(reads(line.replace(/("destination_port":53)/, '$1,'))).toBe(false)
})

test('a line nested as deep as it is long does no harm', () => {
  const text = `{"flow":{"x":${'['.repeat(1e6)}`
  expect(new FlowScan().read(Buffer.from(text), 0, text.length)).toBe(false)
})
