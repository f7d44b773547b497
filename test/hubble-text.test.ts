/** The text forms of `hubble observe`: they give what the JSON of the same flows gives, as far as the text tells. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { analyze, type Options } from '../src/analyze.ts'
import { rfc3339 } from '../src/input/hubble-text-time.ts'
import type { HopRecord, LookupRecord } from '../src/report/record-types.ts'
import type { Report } from '../src/report/report-types.ts'
import { reportText } from '../src/report/text.ts'
import { stampMilli, type TextForm, textLog } from './flow-text.ts'

const FIXTURES = fileURLToPath(new URL('fixtures/hubble', import.meta.url))
/** Real lines, beside the project, not in it. */
const REAL = fileURLToPath(new URL('../../shared/hubble/text-verbatim', import.meta.url))

interface Analyzed {
  report: Report
  lookups: LookupRecord[]
  hops: HopRecord[]
}

async function analyzed(text: string): Promise<Analyzed> {
  const options: Options = {
    files: ['-'],
    filters: { namespace: null, pod: null, name: null, since: null, until: null },
    hints: { resources: null, roles: [], resolvConf: null, clusterDomain: null },
    stdin: Readable.from([Buffer.from(text)]),
  }
  const lookups: LookupRecord[] = []
  const hops: HopRecord[] = []
  const report = await analyze(options, { lookup: l => lookups.push(l), hop: h => hops.push(h) })
  return { report, lookups, hops }
}

const fixtures = readdirSync(FIXTURES).map(name => name.replace(/\.jsonl$/, ''))
const linesOf = (name: string) =>
  readFileSync(join(FIXTURES, `${name}.jsonl`), 'utf8')
    .trimEnd()
    .split('\n')

const FORMS: [name: string, form: TextForm][] = [
  ['compact', { form: 'compact' }],
  ['compact with nodes', { form: 'compact', node: true }],
  ['compact with whole times', { form: 'compact', time: time => time }],
  ['dict', { form: 'dict' }],
  ['dict with nodes', { form: 'dict', node: true }],
  ['tab', { form: 'tab' }],
  ['tab with nodes', { form: 'tab', node: true }],
]

const keyOf = ({ name, outcome, queries, client, waste }: LookupRecord) =>
  `${client.namespace}/${client.pod} ${name} ${outcome} ${queries} ${waste.search} ${waste.nxdomain}`

/** Whether an answer of a type that Hubble does not know was empty stands in the JSON only. */
const isTold = ({ qtypes }: LookupRecord): boolean => qtypes.length > 0

describe.each(FORMS)('%s', (_, form) => {
  test.each(fixtures)('%s tells the same as its JSON', async name => {
    const json = linesOf(name)
    const flows = await analyzed(`${json.join('\n')}\n`)
    const text = await analyzed(textLog(json, form))
    expect(text.lookups.filter(isTold).map(keyOf).sort()).toEqual(flows.lookups.filter(isTold).map(keyOf).sort())
    const waits = ({ lookups }: Analyzed) => lookups.map(lookup => lookup.waitMs ?? -1).sort((a, b) => a - b)
    const expected = waits(flows)
    // Times are cut to milliseconds.
    for (const [i, wait] of waits(text).entries()) expect(Math.abs(wait - expected[i]!)).toBeLessThanOrEqual(1)
    expect(text.report.captures[0]?.issueFrames).toBe(0)
    expect(text.report.captures[0]?.dropped).toBe(flows.report.captures[0]?.dropped)
    const drops = ({ report }: Analyzed) => report.flows?.pairs.flatMap(pair => pair.drops.map(d => d.packets)).sort()
    expect(drops(text)).toEqual(drops(flows))
  })
})

describe('lines', () => {
  test('who is who: pods, services, addresses, IPv6, the reserved identities', async () => {
    const { report } = await analyzed(
      [
        'Nov 21 09:00:00.001: shop/cart-6d5f8b7c9d-x2k4p:40001 (ID:4001) -> kube-system/coredns-76f75df574-8wvxd:53 (ID:77) to-endpoint FORWARDED (UDP)',
        'Nov 21 09:00:00.002: shop/cart-6d5f8b7c9d-x2k4p:40001 (ID:4001) <- kube-system/coredns-76f75df574-8wvxd:53 (ID:77) to-endpoint FORWARDED (UDP)',
        'Nov 21 09:00:00.003: shop/web-0 (ID:4002) <> kube-system/kube-dns:53 (world) pre-xlate-fwd TRACED (UDP)',
        'Nov 21 09:00:00.004: [fd00::21]:40002 (remote-node) -> [fd00::5]:53 (ID:77) to-network FORWARDED (TCP Flags: SYN)',
        'Nov 21 09:00:00.005: shop/web-0:40003 (ID:4002) -> 192.0.2.53:53(domain) (world) to-stack FORWARDED (UDP)',
      ].join('\n'),
    )
    expect(
      report.flows?.pairs.map(({ client, server, serverName, transport }) => [client, server, serverName, transport]),
    ).toEqual([
      [
        'shop/cart-6d5f8b7c9d-x2k4p',
        'kube-system/coredns-76f75df574-8wvxd',
        'kube-system/coredns-76f75df574-8wvxd',
        'udp',
      ],
      ['shop/web-0', 'kube-system/kube-dns', 'kube-system/kube-dns', 'udp'],
      ['fd00::21', 'fd00::5', null, 'tcp'],
      ['shop/web-0', '192.0.2.53', 'world', 'udp'],
    ])
    expect(report.captures[0]).toMatchObject({ format: 'Hubble text', lines: { 'packets on port 53': 5 } })
  })

  test('verdicts and drops, with the names of policies', async () => {
    const line = (what: string) =>
      `Nov 21 09:00:00.001: shop/a:40001 (ID:4001) <> kube-system/coredns-x:53 (ID:77) ${what}`
    const { report } = await analyzed(
      [
        line('policy-verdict:none EGRESS DENIED BY deny-dns (CiliumNetworkPolicy) (UDP)'),
        line('Policy denied by denylist DROPPED (UDP)'),
        line('Service backend not found DROPPED (UDP)'),
      ].join('\n'),
    )
    expect(report.flows?.pairs[0]?.drops.map(({ reason, packets }) => [reason, packets])).toEqual([
      ['POLICY_DENIED', 1],
      ['POLICY_DENY', 1],
      ['SERVICE_BACKEND_NOT_FOUND', 1],
    ])
  })

  test('a table that has the newest first, as the oldest versions print it', async () => {
    const row = (time: string, from: string, to: string, what: string, summary: string) =>
      `Nov 15 14:38:29.${time}   ${from}:0   ${to}:0   ${what}   FORWARDED   ${summary}`
    const [pod, dns] = ['shop/cart-6d5f8b7c9d-x2k4p', 'kube-system/coredns-76f75df574-8wvxd']
    const { lookups } = await analyzed(
      [
        row('450', dns!, pod!, 'dns-response', 'DNS Answer "192.0.2.1" TTL: 30 (Query db.example. A)'),
        row('450', pod!, dns!, 'dns-request', 'DNS Query db.example. A'),
        row(
          '444',
          dns!,
          pod!,
          'dns-response',
          'DNS Answer RCode: Non-Existent Domain TTL: 4294967295 (Query db.example.cluster.local. A)',
        ),
        row('441', pod!, dns!, 'dns-request', 'DNS Query db.example.cluster.local. A'),
      ].join('\n'),
    )
    expect(lookups).toMatchObject([{ name: 'db.example', outcome: 'answered', queries: 2, answers: ['192.0.2.1'] }])
  })

  test.each([
    ['"192.0.2.1,192.0.2.2" CNAMEs: "a.example.,b.example." TTL: 30 (Proxy', 'answered'],
    [' TTL: 4294967295 (Proxy', 'nodata'],
    ['RCode: Server Failure  TTL: 4294967295 (Proxy', 'servfail'],
    ['RCode: Query Refused TTL: 4294967295 (Proxy', 'refused'],
    ['RCode: Something New TTL: 4294967295 (Proxy', 'other'],
    ['"192.0.2.1" (Query', 'answered'],
  ])('DNS Answer %s', async (answer, outcome) => {
    const [pod, dns] = ['shop/a:40001 (ID:4001)', 'kube-system/coredns-x:53 (ID:77)']
    const { hops } = await analyzed(
      [
        `Nov 21 09:00:00.001: ${pod} -> ${dns} dns-request proxy FORWARDED (DNS Query x.example. A)`,
        `Nov 21 09:00:00.003: ${pod} <- ${dns} dns-response proxy FORWARDED (DNS Answer ${answer} x.example. A))`,
      ].join('\n'),
    )
    expect(hops).toMatchObject([{ outcome, waitMs: 2 }])
  })

  test('what stands between the flows is counted, and what was pasted before them', async () => {
    const { report } = await analyzed(
      [
        '$ hubble observe --port 53',
        'Nov 21 09:00:00.001: shop/a:40001 (ID:4001) -> kube-system/coredns-x:53 (ID:77) to-endpoint FORWARDED (UDP)',
        'EVENTS LOST: HUBBLE_RING_BUFFER CPU(0) 3',
        'Nov 21 09:00:00.002 [hubble-relay]: 1 nodes are unavailable: node-b',
        'Nov 21 09:00:00.003: shop/a:40001 (ID:4001) -> shop/b:8080 (ID:4002) to-endpoint FORWARDED (TCP Flags: SYN)',
        '',
      ].join('\n'),
    )
    expect(report.captures[0]).toMatchObject({
      lines: { 'line-not-json': 1, 'packets on port 53': 1, 'lost events': 1, 'node status': 1, 'other flows': 1 },
      dropped: 3,
    })
    expect(report.issues.map(({ code }) => code).sort()).toEqual(['line-not-json', 'node-unavailable'])
  })

  test('without times packets are conversations, and DNS records are counted and said to be left out', async () => {
    const { report, lookups } = await analyzed(
      [
        'shop/a:40001 (ID:4001) -> kube-system/coredns-x:53 (ID:77) to-endpoint FORWARDED (UDP)',
        'shop/a:40001 (ID:4001) <- kube-system/coredns-x:53 (ID:77) to-endpoint FORWARDED (UDP)',
        'shop/a:40001 (ID:4001) -> kube-system/coredns-x:53 (ID:77) dns-request proxy FORWARDED (DNS Query x.example. A)',
      ].join('\n'),
    )
    expect(lookups).toEqual([])
    expect(report.captures[0]?.lines).toEqual({ 'packets on port 53': 2, 'DNS records without time': 1 })
    expect(report.flows?.pairs).toMatchObject([{ client: 'shop/a', conversations: 1, unanswered: 0 }])
    expect(report.issues.map(({ code }) => code)).toEqual(['line-untimed'])
  })

  test('the report says what text leaves out', async () => {
    const { report } = await analyzed(textLog(linesOf('nxdomain-chain'), { form: 'compact' }))
    expect(reportText(report, { width: 80, color: false }).replace(/\s+/g, ' ')).toMatch(/without a year/)
    const { report: json } = await analyzed(`${linesOf('nxdomain-chain').join('\n')}\n`)
    expect(json.quality.remarks.join(' ')).not.toMatch(/without a year/)
  })
})

describe('times', () => {
  const NOW = Date.parse('2026-03-02T12:00:00Z')
  test.each([
    ['Mar  1 09:00:00.123', '2026-03-01T09:00:00.123Z'],
    ['Mar 1 09:00:00.123', '2026-03-01T09:00:00.123Z'],
    ['Dec 31 23:59:59.999', '2025-12-31T23:59:59.999Z'],
    ['Feb 29 10:00:00.000', '2024-02-29T10:00:00.000Z'],
    ['2025-09-28T08:25:44.749505064Z', '2025-09-28T08:25:44.749505064Z'],
    ['Sun, 28 Sep 2025 08:25:44 +0200', '2025-09-28T08:25:44+02:00'],
    ['11:00:00.5', '2026-03-02T11:00:00.5Z'],
    ['23:00:00.5', '2026-03-01T23:00:00.5Z'],
    ['Foo 31 09:00:00.123', null],
    ['Feb 31 09:00:00.123', null],
    ['yesterday', null],
  ])('%s', (text, expected) => {
    expect(rfc3339(text, NOW)).toBe(expected)
  })

  test('as the printer writes them', () => {
    expect(stampMilli('2026-03-01T09:00:00.1239Z')).toBe('Mar  1 09:00:00.123')
  })
})

describe.skipIf(!existsSync(REAL))('real lines (skipped where they do not stand beside the project)', () => {
  test.each(existsSync(REAL) ? readdirSync(REAL) : [])('%s: every line is used or counted under a name', async name => {
    const text = readFileSync(join(REAL, name), 'utf8')
    const { report } = await analyzed(text)
    const [capture] = report.captures
    expect(capture!.issueFrames).toBe(0)
    expect(Object.values(capture!.lines ?? {}).reduce((n, times) => n + times, 0)).toBe(
      text.trimEnd().split('\n').length,
    )
    const screen = reportText(report, { width: 80, color: false })
    expect(screen.split('\n').filter(line => line.length > 80)).toEqual([])
  })
})
