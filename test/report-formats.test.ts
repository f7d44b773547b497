/** Records as text lines, CSV, JSON and ndjson. */
import { expect, test } from 'vitest'
import type { Column } from '../src/report/columns.ts'
import { csvRow } from '../src/report/csv.ts'
import { escapeText } from '../src/report/escape.ts'
import { HOP_COLUMNS } from '../src/report/hop-columns.ts'
import { jsonLine, jsonText } from '../src/report/json.ts'
import { LOOKUP_COLUMNS } from '../src/report/lookup-columns.ts'
import { MESSAGE_COLUMNS } from '../src/report/message-columns.ts'
import type { Output } from '../src/report/output.ts'
import { recordsFormat } from '../src/report/records-format.ts'
import { HOP, lookup, MESSAGE, REPORT } from './fixtures/report.ts'

function written<Row>(
  output: Output,
  columns: readonly Column<Row>[],
  rows: Row[],
  width: number | null = null,
): string {
  const format = recordsFormat(output, columns, { width, color: false })
  return format.before + rows.map(format.record).join('') + format.after(rows.length)
}

const NAME: Column<string>[] = [{ key: 'name', title: 'name', value: name => name }]

test('lookups as lines in a pipe are never shortened', () => {
  expect(`\n${written('text', LOOKUP_COLUMNS, REPORT.slowest)}`).toMatchInlineSnapshot(`
    "
    id     start (UTC)   client                                name                                      outcome             wait  queries  wasted  resolver    frame
    L31    02:51:09.200  shop/cart-5d8f7c9b4d-x2k4p            inventory-api.eu-central-1.prod.payments.example.com  unanswered      5.006 s*       11       8  glibc         812
    L9     02:51:09.200  shop/web-frontend-7f6b9c8d5-q9zlm     google.com                                answered           61 ms       10       8  glibc        1044
    L17    02:51:09.200  shop/cart-5d8f7c9b4d-x2k4p            redis.data?                               answered           43 ms        4       8  glibc           1
    "
  `)
})

test('hops as lines in a pipe', () => {
  expect(`\n${written('text', HOP_COLUMNS, [HOP])}`).toMatchInlineSnapshot(`
    "
    lookup   start (UTC)   from                                  to               role              over  type   name                                          outcome            wait      own  again  served from      frame
    L17      02:51:09.200  shop/cart-5d8f7c9b4d-x2k4p            169.254.20.10    node-local cache  udp   A      google.com.shop.svc.cluster.local             no such name     4.7 ms   3.9 ms      0  forwarded            1
    "
  `)
})

test('a rare rcode has its name, and what was cut short is no error', () => {
  const outcomes = [
    written('text', HOP_COLUMNS, [{ ...HOP, outcome: 'other', rcode: 4 }]),
    written('text', HOP_COLUMNS, [{ ...HOP, outcome: 'truncated', rcode: 0 }]),
    written('text', LOOKUP_COLUMNS, [lookup({ id: 'L1', outcome: 'other' })]),
  ]
  expect(outcomes.map(text => /NOTIMP|cut short \(TC\)|unusable reply/.exec(text)?.[0])).toEqual([
    'NOTIMP',
    'cut short (TC)',
    'unusable reply',
  ])
})

test('messages as lines in a pipe', () => {
  expect(
    `\n${written('text', MESSAGE_COLUMNS, [MESSAGE, { ...MESSAGE, response: true, rcode: 3, cut: true }])}`,
  ).toMatchInlineSnapshot(`
    "
      frame  time (UTC)    over  from                   to                        id  kind      type   name                                           size
          1  02:51:09.200  udp   10.244.0.11:38912      10.96.0.10:53           6266  query     A      google.com.shop.svc.cluster.local                51
          1  02:51:09.200  udp   10.244.0.11:38912      10.96.0.10:53           6266  NXDOMAIN  A      google.com.shop.svc.cluster.local                51  cut
    "
  `)
})

test('lookups at 80 columns', () => {
  expect(`\n${written('text', LOOKUP_COLUMNS, REPORT.slowest, 80)}`).toMatchInlineSnapshot(`
    "
    id     start (UTC)   client         name                outcome             wait
    L31    02:51:09.200  shop/cart…k4p  invento…xample.com  unanswered      5.006 s*
    L9     02:51:09.200  shop/web-…zlm  google.com          answered           61 ms
    L17    02:51:09.200  shop/cart…k4p  redis.data?         answered           43 ms
    "
  `)
})

test('hops at 80 columns take two lines: the lookup, the type and the frame stay', () => {
  expect(`\n${written('text', HOP_COLUMNS, [HOP], 80)}`).toMatchInlineSnapshot(`
    "
    lookup   start (UTC)   type   name                       outcome            wait
             from           to              role              served from      frame
    L17      02:51:09.200  A      google.com.…cluster.local  no such name     4.7 ms
             shop/cart…k4p  169.254.20.10   node-local cache  forwarded            1
    "
  `)
})

test('messages at 80 columns take two lines', () => {
  expect(`\n${written('text', MESSAGE_COLUMNS, [MESSAGE], 80)}`).toMatchInlineSnapshot(`
    "
      frame  time (UTC)    kind      type   name
             over  from                 to                      id   size
          1  02:51:09.200  query     A      google.com.shop.svc.cluster.local
             udp   10.244.0.11:38912    10.96.0.10:53         6266     51
    "
  `)
})

test('lines fit every terminal that is wide enough to read', () => {
  for (let width = 80; width <= 220; width += 1) {
    for (const text of [
      written('text', LOOKUP_COLUMNS, REPORT.slowest, width),
      written('text', HOP_COLUMNS, [HOP], width),
      written('text', MESSAGE_COLUMNS, [MESSAGE], width),
    ]) {
      expect(Math.max(...text.split('\n').map(line => line.length)), `at ${width}`).toBeLessThanOrEqual(width)
    }
  }
})

test('every column has its own key', () => {
  for (const columns of [LOOKUP_COLUMNS, HOP_COLUMNS, MESSAGE_COLUMNS]) {
    const keys = columns.map(column => column.key)
    expect(new Set(keys).size).toBe(keys.length)
  }
})

test('csv has a head, CRLF and as many cells in every row', () => {
  const lines = written('csv', LOOKUP_COLUMNS, REPORT.slowest).split('\r\n')
  expect(lines.pop()).toBe('')
  expect(lines).toHaveLength(1 + REPORT.slowest.length)
  for (const line of lines) expect(line.split(',')).toHaveLength(LOOKUP_COLUMNS.length)
})

test('csv leaves the unknown empty', () => {
  const resolver = LOOKUP_COLUMNS.filter(({ key }) => ['id', 'end', 'resolver', 'waitMs'].includes(key))
  expect(csvRow(resolver, lookup({ id: 'L1', end: null, resolver: null, waitMs: null }))).toBe('L1,,,\r\n')
})

test.each([
  ['plain', 'plain'],
  ['with, comma', '"with, comma"'],
  ['with "quotes"', '"with ""quotes"""'],
  ['=cmd|calc', "'=cmd|calc"],
  ['+1', "'+1"],
  ['-1', "'-1"],
  ['@sum(a,b)', '"\'@sum(a,b)"'],
  ['two\nlines', 'two\\x0alines'],
])('csv cell %j is %j', (name, cell) => {
  expect(csvRow(NAME, name)).toBe(`${cell}\r\n`)
})

test('ndjson is the records, one a line', () => {
  const lines = written('ndjson', LOOKUP_COLUMNS, REPORT.slowest).trimEnd().split('\n')
  expect(lines.map(line => JSON.parse(line))).toEqual(REPORT.slowest)
})

test('json is one list, also of nothing', () => {
  expect(JSON.parse(written('json', LOOKUP_COLUMNS, REPORT.slowest))).toEqual(REPORT.slowest)
  expect(JSON.parse(written('json', LOOKUP_COLUMNS, []))).toEqual([])
})

test('json escapes what a terminal should not see and means the same', () => {
  const record = { name: 'a\u202eb\u009b\u{e0041}\x1b' }
  expect(jsonLine(record)).toBe(String.raw`{"name":"a\u202eb\u009b\udb40\udc41\u001b"}`)
  expect(JSON.parse(jsonText(record))).toEqual(record)
})

test('text escapes what moves the cursor, hides or reorders', () => {
  expect(escapeText('a\x1b[31mb\u200b\u2028\u{e0041}\ud800é日本')).toBe(
    'a\\x1b[31mb\\u{200b}\\u{2028}\\u{e0041}\\u{d800}é日本',
  )
})
