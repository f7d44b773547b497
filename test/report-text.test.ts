/** The report for people. The two snapshots are pages to read; the rest are laws that hold for every report. */
import { stripVTControlCharacters } from 'node:util'
import { expect, test } from 'vitest'
import type { Report } from '../src/report/report-types.ts'
import { reportText } from '../src/report/text.ts'
import { CAPTURE, EMPTY_REPORT, edge, FINDING, lookup, REPORT } from './fixtures/report.ts'

const plain = (report: Report, width = 80) => reportText(report, { width, color: false })

for (const width of [80, 120]) {
  test(`reads well at ${width} columns`, async () => {
    await expect(plain(REPORT, width)).toMatchFileSnapshot(`fixtures/report-${width}.txt`)
  })
}

test('no line is wider than the screen', () => {
  const report: Report = {
    ...REPORT,
    captures: [CAPTURE, { ...CAPTURE, file: `${'deep/'.repeat(30)}node-b.pcap` }],
    findings: [FINDING],
  }
  for (let width = 72; width <= 200; width++) {
    const wide = plain(report, width)
      .split('\n')
      // A command is to be copied, not cut.
      .filter(line => line.length > width && !line.includes('dnstrail '))
    expect(wide, `at ${width}`).toEqual([])
  }
})

test('no line ends in blanks', () => {
  expect(plain(REPORT)).not.toMatch(/[ \t]\n/)
})

test('colour only adds to the text', () => {
  const report = { ...REPORT, findings: [FINDING] }
  const coloured = reportText(report, { width: 80, color: true })
  expect(coloured).toContain('\x1b[31m')
  const clean = stripVTControlCharacters(coloured).replace(/ +$/gm, '')
  expect(clean).toBe(plain(report))
})

test('connections that could not be opened are told with who, how many and where to look', () => {
  const frame = { file: 'captures/node-a-any.pcap', number: 309 }
  const row = { client: '10.244.1.1', server: '10.244.1.5', refused: 27136, silent: 0, frame }
  const report: Report = {
    ...REPORT,
    unopened: [
      row,
      { ...row, server: '192.0.2.53', refused: 0, silent: 1 },
      { ...row, server: '10.96.0.10', refused: 2, silent: 3 },
      row,
    ],
  }
  expect(
    plain(report)
      .split('\n\n')
      .find(block => block.startsWith('TCP')),
  ).toMatchInlineSnapshot(`
    "TCP       10.244.1.5 refused 27,136 connections by 10.244.1.1 (first: frame 309)
              192.0.2.53 did not answer 1 connection by 10.244.1.1 (first: frame
                309)
              10.96.0.10 opened none of 5 connections (2 refused, 3 not answered) by
                10.244.1.1 (first: frame 309)
              and so it was between 1 other pair of addresses"
  `)
})

test('an empty capture is said in a few lines', () => {
  const file = {
    ...CAPTURE,
    frames: 0,
    messages: 0,
    issueFrames: 0,
    cutMessages: 0,
    cutFrames: 0,
    first: null,
    last: null,
    seconds: 0,
    vantages: [],
  }
  expect(plain({ ...EMPTY_REPORT, captures: [file] })).toMatchInlineSnapshot(`
    "Capture   node-a-any.pcap: no frames
              Quality: good

    Lookups   none: there is no DNS message in the capture
    "
  `)
})

test('one is not several', () => {
  const report: Report = {
    ...EMPTY_REPORT,
    captures: [{ ...CAPTURE, vantages: ['eth0'], cutMessages: 1, cutFrames: 1, issueFrames: 1 }],
    totals: {
      ...EMPTY_REPORT.totals,
      frames: 1,
      messages: 1,
      lookups: 1,
      outcomes: { ...EMPTY_REPORT.totals.outcomes, unanswered: 1 },
      failed: 1,
      infrastructure: 1,
    },
    waste: { ...EMPTY_REPORT.waste, lookups: 1, queries: 1, needed: 1 },
    edges: [edge('unknown', 'coredns', { count: 1, unanswered: 1, askers: ['10.0.0.1'] })],
  }
  expect(plain(report)).toMatchInlineSnapshot(`
    "Capture   node-a-any.pcap: 0 ms from 2026-11-21 02:51:09 UTC
              1 frame, 1 DNS message at eth0
              Missing: 1 frame not readable (see Issues), 1 message cut by the snap
                length
              Quality: good

    Path      1 client of unknown role: 10.0.0.1
              └─ CoreDNS  1 query  1 unanswered (100 %)

    Findings  none
    Lookups   1 of 1 failed (100 %): 1 unanswered
              not counted: 1 query by the DNS servers to check each other
    Waste     none: the only query was needed

    Latency per hop (ms)  queries  no reply  p50  p90  p99  max
    client of unknown role asks
      CoreDNS                   1         1

    More      dnstrail lookups node-a-any.pcap   (every lookup)
              dnstrail hops node-a-any.pcap   (every query, server by server)
              with evidence and all rows: -o json
    "
  `)
})

test('pods that go past CoreDNS are drawn apart', () => {
  const edges = [
    edge('pod', 'coredns', { clients: 2, askers: ['shop/a', 'shop/b'], count: 90 }),
    edge('pod', 'coredns', { clients: 2, askers: ['shop/a'], count: 60, server: '10.244.1.5' }),
    edge('pod', 'coredns', { clients: 2, askers: ['shop/b'], count: 30, server: '10.244.1.6' }),
    edge('pod', 'upstream', { askers: ['shop/c'], count: 12, server: '8.8.8.8' }),
    edge('pod', 'upstream', { askers: ['shop/c'], count: 12 }),
    edge('coredns', 'upstream', { count: 40, rcodes: { NOERROR: 39, REFUSED: 1 } }),
    edge('coredns', 'upstream', { count: 40, server: '172.18.0.53' }),
  ]
  const tree = plain({ ...EMPTY_REPORT, edges }).split('\n\n')[1]
  expect(tree).toMatchInlineSnapshot(`
    "Path      2 pods: shop/a, shop/b
              └─ CoreDNS 10.244.1.5, 10.244.1.6  90 queries
                 └─ upstream 172.18.0.53         40 queries  1 REFUSED (2.5 %)
              1 pod: shop/c
              └─ upstream 8.8.8.8                12 queries"
  `)
})

test('two servers that ask each other do not draw for ever', () => {
  const edges = [
    edge('coredns', 'node-local-cache', { count: 2 }),
    edge('node-local-cache', 'coredns', { count: 5 }),
    edge('coredns', 'coredns', { count: 1 }),
    edge('pod', 'node-local-cache', { count: 9, askers: ['shop/a'] }),
  ]
  expect(plain({ ...EMPTY_REPORT, edges })).toContain('└─ CoreDNS')
})

test('names of interfaces and files cannot play tricks with the terminal', () => {
  const file = { ...CAPTURE, file: 'a\x1b[2J\u202efdp.pcap', vantages: ['eth\x070', '\x9b31m'] }
  const text = plain({ ...REPORT, captures: [file] })
  expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/)
  expect(text).toContain('a\\x1b[2J\\u{202e}fdp.pcap')
})

test('several files name the file of a frame', () => {
  const report = { ...REPORT, captures: [CAPTURE, { ...CAPTURE, file: 'b.pcap' }] }
  expect(plain(report, 120)).toMatch(/frame +id +of file\n.* 812 +L31 +node-a-any.pcap\n/)
})

test('findings stand with what was seen, what to do and where to look', () => {
  const section = plain({ ...REPORT, findings: [FINDING] })
    .split('\n\n')
    .find(block => block.startsWith('What was found'))
  expect(section).toMatchInlineSnapshot(`
    "What was found
      problem  unanswered-upstream
        172.18.0.53 did not answer 1 of 20 queries.
        Do: Look at the path from the node to 172.18.0.53.
        See: dnstrail show ... L31
        Wireshark: frame.number in {812, 1044}"
  `)
})

test('an unknown wait is no row of the slowest', () => {
  expect(plain({ ...EMPTY_REPORT, slowest: [lookup({ id: 'L1', waitMs: null })] })).not.toContain('Slowest')
})

test('the clocks of several captures: what agrees, what was corrected, what cannot be known', () => {
  const clock = {
    reference: 'a.pcap',
    transactions: 812,
    offsetMs: 0.002,
    uncertaintyMs: 0.54,
    driftPpm: null,
    driftUncertaintyPpm: null,
    corrected: false,
    steps: [],
    note: null,
  }
  const captures = [
    { ...CAPTURE, file: 'a.pcap', clock: { ...clock, reference: null, offsetMs: null, uncertaintyMs: null } },
    { ...CAPTURE, file: 'tmp/b.pcap', clock },
    {
      ...CAPTURE,
      file: 'c.pcap',
      clock: {
        ...clock,
        offsetMs: 37.0031,
        uncertaintyMs: 0.021,
        driftPpm: 20.04,
        driftUncertaintyPpm: 0.1,
        corrected: true,
      },
    },
    {
      ...CAPTURE,
      file: 'd.pcap',
      clock: {
        ...clock,
        offsetMs: -3600000.5,
        corrected: true,
        steps: [{ time: '2026-11-21T02:51:39.123Z', ms: -2000.1 }],
      },
    },
    { ...CAPTURE, file: '-', clock: { ...clock, reference: null, note: 'It can be read only once.' } },
  ]
  const text = plain({ ...EMPTY_REPORT, captures })
  expect(text.slice(text.indexOf('Clocks'), text.indexOf('Missing'))).toMatchInlineSnapshot(`
    "Clocks: b.pcap agrees with a.pcap within 0.54 ms
              Clock of c.pcap: 37.003 ms (±21 µs) ahead of a.pcap's, gaining 20.0
                (±0.1) ppm; corrected, from 812 transactions seen at both
              Clock of d.pcap: 3600.000500 s (±0.54 ms) behind a.pcap's, drift not
                known; corrected, from 812 transactions seen at both
              Clock of d.pcap: set back by 2.000100 s when it read 02:51:39.123;
                taken back in all times below
              Clock of standard input: It can be read only once.
              "
  `)
})
