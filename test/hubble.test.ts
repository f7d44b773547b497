/** Flow logs: what becomes of each line, in every shape that Hubble and the tools around it write. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { analyze, type Options } from '../src/analyze.ts'
import { readCaptures } from '../src/input/merge.ts'
import { type Capture, UNREACHABLE, UserError } from '../src/model.ts'
import type { HopRecord, LookupRecord } from '../src/report/record-types.ts'
import type { Report } from '../src/report/report-types.ts'
import { reportText } from '../src/report/text.ts'
import { Issues } from '../src/wire/issues.ts'
import { newTables } from '../src/wire/tables.ts'
import { written } from './files.ts'
import { flowLine, recordLine } from './flow-log.ts'

const FIXTURES = fileURLToPath(new URL('fixtures/hubble', import.meta.url))
/** Real lines, beside the project, not in it. */
const REAL = fileURLToPath(new URL('../../shared/hubble', import.meta.url))

const optionsOf = (...files: string[]): Options => ({
  files,
  filters: { namespace: null, pod: null, name: null, since: null, until: null },
  hints: { resources: null, roles: [], resolvConf: null, clusterDomain: null },
})

interface Analyzed {
  report: Report
  lookups: LookupRecord[]
  hops: HopRecord[]
}

async function analyzed(...files: string[]): Promise<Analyzed> {
  const lookups: LookupRecord[] = []
  const hops: HopRecord[] = []
  const sinks = {
    lookup: (record: LookupRecord) => lookups.push(record),
    hop: (record: HopRecord) => hops.push(record),
  }
  return { report: await analyze(optionsOf(...files), sinks), lookups, hops }
}

const fixture = (name: string) => join(FIXTURES, `${name}.jsonl`)

interface Read {
  capture: Capture
  /** "+" query, "-" response, "!" refusal, with the name and the time. */
  rows: string[]
  issues: string[]
}

async function read(bytes: Buffer | string, chunk = Number.POSITIVE_INFINITY): Promise<Read> {
  const buffer = Buffer.from(bytes as string)
  let at = 0
  const stdin = new Readable({
    read() {
      this.push(at < buffer.length ? buffer.subarray(at, at + Math.min(chunk, 1 << 20)) : null)
      at += Math.min(chunk, 1 << 20)
    },
    highWaterMark: 1,
  })
  const rows: string[] = []
  const issues = new Issues()
  const tables = newTables()
  const [capture] = await readCaptures(['-'], { keepBytes: false, tables, issues, stdin }, (m, i) => {
    const sign = m.kind[i] === UNREACHABLE ? '!' : m.flags[i] & 0x8000 ? '-' : '+'
    rows.push(
      `${sign}${tables.names.text(m.qname[i])} ${m.seconds[i]}.${String(m.nanos[i]).padStart(9, '0')} #${m.frame[i]}`,
    )
  })
  const { frames, dnsFrames, partFrames, otherFrames, issueFrames, lines } = capture
  expect(frames).toBe(dnsFrames + partFrames + otherFrames + issueFrames)
  expect(Object.values(lines as Record<string, number>).reduce((n, times) => n + times, 0)).toBe(frames)
  return { capture, rows, issues: issues.list.map(issue => `${issue.code} ${issue.count} ${issue.firstFrame}`) }
}

/** A query, a second after the one before. */
const query = (second: number, more: Partial<Parameters<typeof recordLine>[0]> = {}) =>
  recordLine({
    seconds: 1_795_000_000 + second,
    nanos: 123_456_789,
    from: '10.8.1.21',
    to: '10.8.3.5',
    fromPort: 40_000 + second,
    toPort: 53,
    query: `n${second}.example`,
    qtype: 'A',
    ...more,
  })
const row = (second: number, line = second) => `+n${second}.example ${1_795_000_000 + second}.123456789 #${line}`

describe('one lookup, hop by hop', () => {
  test('without the proxy: conversations, no names', async () => {
    const { report, lookups } = await analyzed(fixture('plain-cilium'))
    expect(lookups).toEqual([])
    expect(report.flows?.pairs).toMatchObject([
      { clientName: 'shop/cart-6d5f8b7c9d-x2k4p', server: '10.8.3.5', conversations: 3, unanswered: 1, drops: [] },
      { server: '10.96.0.10', serverName: 'kube-system/kube-dns', conversations: 0 },
    ])
    expect(reportText(report, { width: 80, color: false })).toMatch(/rules\.dns/)
  })

  test('through the proxy; duplicates are told once', async () => {
    const { report, lookups, hops } = await analyzed(fixture('dns-proxy'))
    expect(lookups).toMatchObject([
      {
        outcome: 'answered',
        waitMs: 2.3,
        answers: ['10.96.44.2'],
        queries: 2,
        client: { role: 'pod', namespace: 'shop', workload: 'cart', node: 'node-a' },
      },
    ])
    expect(hops).toMatchObject([
      { waitMs: 1.2, sightings: 2, to: { role: 'coredns' } },
      { waitMs: 0.7, sightings: 2, outcome: 'nodata' },
    ])
    expect(report.captures[0]?.lines).toEqual({
      'packets on port 53': 7,
      'DNS records': 4,
      'DNS records told twice': 1,
      'DNS answers not delivered': 1,
    })
  })

  test('NodeLocal DNSCache by a Local Redirect Policy: the second lookup is served from its cache', async () => {
    const { hops, lookups } = await analyzed(fixture('node-local-redirect'))
    expect(hops.map(hop => [hop.from.role, hop.to.role, hop.transport, hop.servedFrom])).toEqual([
      ['pod', 'node-local-cache', 'udp', 'forwarded'],
      ['pod', 'node-local-cache', 'udp', 'forwarded'],
      ['node-local-cache', 'coredns', 'tcp', null],
      ['node-local-cache', 'coredns', 'tcp', null],
      ['pod', 'node-local-cache', 'udp', 'cache'],
      ['pod', 'node-local-cache', 'udp', 'cache'],
    ])
    expect(lookups.map(lookup => lookup.waitMs)).toEqual([5.25, 0.51])
  })

  test('a policy denies the packets, a DNS rule the name; the proxy fails', async () => {
    const { report, hops, lookups } = await analyzed(fixture('policy-drop'))
    expect(report.flows?.pairs.map(pair => [pair.clientName, pair.drops])).toEqual([
      [
        'shop/cart-6d5f8b7c9d-x2k4p',
        [
          { reason: 'denied by a DNS rule', packets: 2, nodes: ['node-a'] },
          { reason: "the proxy's error", packets: 1, nodes: ['node-a'] },
        ],
      ],
      ['shop/web-5c7d9f8b6-q9zlm', [{ reason: 'POLICY_DENIED', packets: 2, nodes: ['node-b'] }]],
    ])
    expect(hops.map(hop => hop.outcome)).toEqual(['unreachable', 'unreachable', 'unreachable'])
    expect(lookups.map(lookup => [lookup.outcome, lookup.waitMs])).toEqual([
      ['refused', null],
      ['refused', 5],
    ])
    expect(reportText(report, { width: 80, color: false })).toMatch(/dropped 2: POLICY_DENIED at node-b/)
  })

  test('without the proxy, over TCP: how far connections came', async () => {
    const packet = (port: number, reply: boolean, flags: string[], pod = 'web-0') =>
      flowLine({
        time: `2026-11-21T09:00:0${port % 10}Z`,
        verdict: 'FORWARDED',
        IP: { source: reply ? '10.8.3.5' : '10.8.1.22', destination: reply ? '10.8.1.22' : '10.8.3.5' },
        l4: {
          TCP: {
            source_port: reply ? 53 : port,
            destination_port: reply ? port : 53,
            flags: Object.fromEntries(flags.map(flag => [flag, true])),
          },
        },
        [reply ? 'destination' : 'source']: { identity: 4002, namespace: 'shop', pod_name: pod },
        event_type: { type: 4 },
        is_reply: reply,
      })
    const log = [
      packet(40_001, false, ['SYN']),
      packet(40_001, true, ['ACK', 'RST']),
      packet(40_002, false, ['SYN']),
      packet(40_009, false, ['SYN']),
      packet(40_009, true, ['SYN', 'ACK']),
      packet(40_009, false, ['ACK', 'FIN']),
    ].join('\n')
    const { report } = await analyzed(written('tcp.jsonl', Buffer.from(log)))
    expect(report.flows?.pairs).toMatchObject([
      {
        clientName: 'shop/web-0',
        transport: 'tcp',
        conversations: 3,
        unanswered: 1,
        reset: 1,
        tcpFlags: { syn: 3, synAck: 1, fin: 1, rst: 1 },
      },
    ])
    const text = reportText(report, { width: 80, color: false })
    expect(text).toMatch(/silent +reset/)
    expect(text).toContain('SYN seen 3 times, SYN ACK 1 time, RST 1 time')
  })

  test('no answer from upstream', async () => {
    const { report, lookups, hops } = await analyzed(fixture('upstream-timeout'))
    expect(lookups.map(lookup => [lookup.name, lookup.outcome, lookup.waitMs, lookup.queries])).toEqual([
      ['slow.example.org', 'unanswered', null, 4],
      ['db', 'answered', 1, 1],
    ])
    expect(hops.map(hop => hop.retransmissions)).toEqual([1, 1, 0])
    expect(report.captures[0]?.dropped).toBe(42)
    expect(report.quality.remarks[0]).toMatch(/Hubble lost 42 events/)
  })

  test('NODATA, CNAMEs, other types, escaped names', async () => {
    const { hops } = await analyzed(fixture('nodata'))
    expect(hops.map(hop => [hop.qname, hop.qtype, hop.outcome])).toEqual([
      ['v4only.example.com', 'AAAA', 'nodata'],
      ['alias.example.com', 'A', 'answered'],
      ['_sip._udp.example.com', 'SRV', 'answered'],
      ['we\\.ird\\032x@y.example.com', null, 'nodata'],
    ])
  })

  test('a chain of search domains', async () => {
    const { lookups } = await analyzed(fixture('nxdomain-chain'))
    expect(lookups).toMatchObject([
      {
        name: 'api.example.com',
        nameCertain: true,
        outcome: 'answered',
        queries: 8,
        waste: { search: 6, nxdomain: 6, bytes: null },
      },
    ])
    expect(lookups[0]?.searchList).toEqual(['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local'])
  })

  test('two nodes out of order', async () => {
    const { report, lookups } = await analyzed(fixture('two-nodes-out-of-order'))
    expect(lookups.map(lookup => [lookup.client.node, lookup.name, lookup.waitMs])).toEqual([
      ['node-a', 'a', 1],
      ['node-b', 'a', 1],
      ['node-a', 'b', 1],
      ['node-b', 'b', 1],
      ['node-a', 'c', 1],
    ])
    expect(report.captures).toMatchObject([{ vantages: ['node-a', 'node-b'], clockStepsBack: 0 }])
    expect(report.issues.map(issue => issue.code)).toEqual(['node-unavailable'])
  })

  test('every fixture fits on a screen of 80 columns', async () => {
    for (const name of readdirSync(FIXTURES)) {
      const text = reportText((await analyzed(join(FIXTURES, name))).report, { width: 80, color: false })
      expect(text.split('\n').filter(line => line.length > 80)).toEqual([])
    }
  })
})

test('a log that was rotated between a query and its answer loses nothing', async () => {
  const lines = readFileSync(fixture('nxdomain-chain'), 'utf8').trim().split('\n')
  const whole = await analyzed(fixture('nxdomain-chain'))
  const told = ({ hops }: Analyzed) =>
    hops.map(hop => [hop.start, hop.qname, hop.qtype, hop.outcome, hop.waitMs]).sort()
  for (let n = 1; n < lines.length; n++) {
    const older = written(`events-${n}.log.gz`, gzipSync(`${lines.slice(0, n).join('\n')}\n`))
    const newer = written(`events-${n}.log`, Buffer.from(`${lines.slice(n).join('\n')}\n`))
    expect(told(await analyzed(newer, older))).toEqual(told(whole))
  }
})

describe('lines', () => {
  const three = [query(1), query(2), query(3)].join('\n')
  const rows = [row(1), row(2), row(3)]

  test('in chunks of any size, compressed, with CRLF, with and without a last line break', async () => {
    for (const chunk of [1, 7, 4096]) expect((await read(`${three}\n`, chunk)).rows).toEqual(rows)
    for (const bytes of [gzipSync(three), `${three.replaceAll('\n', '\r\n')}\r\n`, three])
      expect(await read(bytes)).toMatchObject({ rows, issues: [] })
  })

  test('the envelope left out, the flow left bare', async () => {
    const bare = three.split('\n').map(line => JSON.stringify(JSON.parse(line).flow))
    const withoutNode = three.split('\n').map(line => JSON.stringify({ flow: JSON.parse(line).flow }))
    expect((await read(bare.join('\n'))).rows).toEqual(rows)
    expect((await read(withoutNode.join('\n'))).rows).toEqual(rows)
  })

  test('times with 0 to 9 digits, numbers as strings', async () => {
    const line = (fraction: string) =>
      query(1).replaceAll('.123456789Z', `${fraction}Z`).replace('"source_port":40001', '"source_port":"40001"')
    const { rows } = await read(['', '.5', '.123', '.123456', '.000000001'].map(line).join('\n'))
    expect(rows.map(text => text.split(' ')[1]?.split('.')[1]).sort()).toEqual([
      '000000000',
      '000000001',
      '123000000',
      '123456000',
      '500000000',
    ])
  })

  test.each([
    ['blank lines', `${query(1)}\n\n \n${query(2)}\n`, [row(1), row(2, 4)], []],
    ['a half line at the end', `${query(1)}\n${query(2).slice(0, 400)}`, [row(1)], ['line-cut 1 2']],
    ['a damaged line', `${query(1)}\n${query(2).slice(0, 400)}}\n${query(3)}`, [row(1), row(3)], ['line-damaged 1 2']],
    [
      'a word of the CLI',
      `${query(1)}\nlevel=warning msg=slow\n${query(2)}`,
      [row(1), row(2, 3)],
      ['line-not-json 1 2'],
    ],
    [
      'a prefix',
      `x: ${query(1)}\n${query(2)}`.replace('x: ', '2026-11-21T09:00:00.1Z stdout F '),
      [row(1), row(2)],
      [],
    ],
    ['a byte order mark', `\ufeff${query(1)}\n${query(2)}`, [row(1), row(2)], []],
    ["docker's envelope", JSON.stringify({ log: `${query(1)}\n`, stream: 'stdout' }), [row(1)], []],
    ['jq .', JSON.stringify(JSON.parse(query(1)), null, 2), [], []],
    ['jq -s .', JSON.stringify([JSON.parse(query(1)), JSON.parse(query(2))], null, 2), [], []],
    ['jq -sc .', `[${query(1)},${query(2)}]`, [row(1), row(2, 1)], []],
  ])('%s', async (name, text, expected, issues) => {
    const { rows, issues: found } = await read(text)
    if (name.startsWith('jq'))
      expect(rows.map(row => row.split(' ')[0])).toEqual(['+n1.example', '+n2.example'].slice(0, rows.length))
    else expect(rows).toEqual(expected)
    expect(rows.length).toBeGreaterThan(0)
    expect(found).toEqual(issues)
  })

  test('a line that a runtime cut at 16 KiB', async () => {
    const time = '2026-11-21T09:00:00.1Z stdout'
    const cut = `${time} P ${query(1).slice(0, 200)}\n${time} F ${query(1).slice(200)}\n${time} F ${query(2)}\n`
    expect(await read(cut)).toMatchObject({ rows: [row(1, 2), row(2, 3)], issues: [] })
  })

  test('a line of 10 MB is read, one of 20 MB passed over', { timeout: 30_000 }, async () => {
    const long = (megabytes: number) => query(2).replace('{"flow":{', `{"flow":{"x":"${'x'.repeat(megabytes * 1e6)}",`)
    expect(await read([query(1), long(10), query(3)].join('\n'))).toMatchObject({ rows, issues: [] })
    const { rows: others, issues } = await read([query(1), long(20), query(3)].join('\n'))
    expect(others).toEqual([row(1), row(3)])
    expect(issues).toEqual(['line-too-long 1 2'])
  })

  test('invalid UTF-8 and wrong types everywhere are counted, never a crash', async () => {
    const bytes = Buffer.from(query(1))
    bytes[bytes.indexOf('cluster/')] = 0xff
    expect((await read(bytes)).issues).toEqual(['line-encoding 1 1'])
    for (const wrong of ['7', '"x"', 'null', '[]', '{}', 'true', '-1', '1e99']) {
      for (const key of ['time', 'IP', 'l4', 'source', 'l7', 'dns', 'query', 'qtypes', 'type', 'node_name', 'flow']) {
        const text = query(1).replace(new RegExp(`"${key}":("[^"]*"|\\[[^\\]]*\\]|\\{)`), (_, value: string) =>
          value === '{' ? `"${key}":${wrong},"was":{` : `"${key}":${wrong}`,
        )
        await read(`${query(2)}\n${text}\n`)
      }
    }
  })

  test('what is no DNS is counted without being parsed, whatever stands in it', async () => {
    const other = flowLine({
      time: '2026-11-21T09:00:00Z',
      verdict: 'FORWARDED',
      l4: { TCP: { source_port: 5301, destination_port: 443 } },
    })
    const { capture, rows } = await read(
      [query(1), other, other.slice(0, -2).concat('?}}'), other, query(2), ''].join('\n'),
    )
    expect(rows).toEqual([row(1), row(2, 5)])
    expect(capture).toMatchObject({ frames: 5, otherFrames: 3, lines: { 'DNS records': 2, 'other flows': 3 } })
  })

  test.each([
    ...readdirSync(FIXTURES).map(name => join(FIXTURES, name)),
    ...(existsSync(REAL) ? readdirSync(join(REAL, 'captures')).map(name => join(REAL, 'captures', name)) : []),
  ])('%s: a line that is read where it lies tells what JSON.parse would', async file => {
    const text = readFileSync(file, 'utf8')
    // With a blank in it a line is not in Hubble's own form.
    const parsed = await analyzed(
      written('with-blanks.jsonl', Buffer.from(text.replaceAll(/^\{"flow":/gm, '{"flow": '))),
    )
    const scanned = await analyzed(written('as-it-is.jsonl', Buffer.from(text)))
    const comparable = ({ report, lookups, hops }: Analyzed) =>
      JSON.stringify({ report: { ...report, captures: report.captures[0]?.lines }, lookups, hops })
        .replaceAll(/"file":"[^"]*"/g, '')
        .replaceAll(/(with-blanks|as-it-is)\.jsonl/g, '')
    expect(comparable(scanned)).toBe(comparable(parsed))
  })

  test('how far the log reaches does not depend on the size of chunks, whatever line is damaged', async () => {
    const other = (second: number) =>
      flowLine({
        time: `2026-11-21T09:00:0${second}.5Z`,
        verdict: 'FORWARDED',
        l4: { TCP: { source_port: 5301, destination_port: 443 } },
      })
    const damaged = other(4).replace('"verdict"', '"verdict')
    const text = [query(1), other(1), other(7), damaged, query(2), other(3), other(5).slice(0, 90), ''].join('\n')
    const whole = await read(text)
    expect(whole.capture.last).toEqual({ seconds: Date.parse('2026-11-21T09:00:07Z') / 1000, nanos: 500_000_000 })
    for (let chunk = 1; chunk < text.length; chunk = 2 * chunk + 1) expect(await read(text, chunk)).toEqual(whole)
  })

  test('JSON without one flow is told in a sentence', async () => {
    await expect(read('{"name":"dnstrail"}\n')).rejects.toThrow(UserError)
    await expect(read('{"name":"dnstrail"}\n')).rejects.toThrow('not one flow of Hubble')
  })
})

test('packets and flows of one time: names from the flows, messages from the packets', async () => {
  const sample = fileURLToPath(new URL('../samples/00-search-chain.pcap', import.meta.url))
  const alone = await analyzed(sample)
  const client = alone.lookups[0]!.client.address
  const line = query(1)
    .replaceAll('10.8.1.21', client)
    .replace('"source":{}', '"source":{"namespace":"shop","pod_name":"debug"}')
  const both = await analyzed(sample, written('beside.jsonl', Buffer.from(`${line}\n`)))
  expect(both.lookups).toHaveLength(alone.lookups.length)
  expect(both.lookups[0]!.client).toMatchObject({ namespace: 'shop', pod: 'debug' })
})

describe.skipIf(!existsSync(REAL))('real lines (skipped where they do not stand beside the project)', () => {
  test('NodeLocal caches asking kube-dns on GKE', async () => {
    const { report, hops, lookups } = await analyzed(join(REAL, 'captures/hubble-otel-330-dns-flows.jsonl'))
    const outcomes = (outcome: string) => hops.filter(hop => hop.outcome === outcome).length
    expect(report.captures).toMatchObject([{ frames: 330, dnsFrames: 330, messages: 330, issueFrames: 0 }])
    expect([hops.length, outcomes('nxdomain'), outcomes('nodata'), outcomes('answered')]).toEqual([165, 102, 8, 55])
    expect(hops.filter(hop => hop.waitMs === null || hop.waitMs < 1 || hop.waitMs > 5.3)).toEqual([])
    expect(new Set(hops.map(hop => `${hop.from.role} ${hop.to.role}`))).toEqual(new Set(['node-local-cache coredns']))
    expect(
      [...hops, ...lookups.map(lookup => ({ from: lookup.client }))].filter(({ from }) => !from.node || !from.pod),
    ).toEqual([])
    expect(report.endpoints.filter(endpoint => endpoint.name === null)).toEqual([])
    expect(report.quality.remarks.join(' ')).toMatch(/Nobody but DNS servers asks/)
    // What is outside the cluster they ask another server for, which is not in the log: it was not denied.
    const outside = lookups.filter(({ name }) => name.endsWith('.googleapis.com'))
    expect(new Set(outside.map(({ outcome }) => outcome))).toEqual(new Set(['not-captured']))
    expect(report.issues).toEqual([])
  })

  test('pods through the proxy on kind', async () => {
    const { report, hops } = await analyzed(join(REAL, 'captures/hubble-otel-400-udp-flows.jsonl'))
    expect(hops).toHaveLength(74)
    expect(hops.filter(hop => hop.waitMs === null)).toEqual([])
    expect(report.captures[0]?.lines).toEqual({ 'packets on port 53': 252, 'DNS records': 148 })
  })

  test('every line is used or counted under a name, and none is an error', async () => {
    const files = readdirSync(REAL, { recursive: true, encoding: 'utf8' }).filter(name => /\.jsonl?$/.test(name))
    expect(files.length).toBeGreaterThan(20)
    for (const name of files) {
      const bytes = readFileSync(join(REAL, name))
      const { capture } = await read(bytes)
      expect(capture.issueFrames).toBe(0)
      expect(capture.frames).toBe(bytes.toString().trimEnd().split('\n').length)
    }
  })
})
