/** What the filters leave is said beside it, and one that matches nothing is no fault of the capture. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { analyze } from '../src/analyze.ts'
import { compare } from '../src/compare.ts'
import type { Filters } from '../src/model.ts'
import { compareText } from '../src/report/compare/text.ts'
import { NO_FILTERS } from '../src/report/filter.ts'
import type { HopRecord } from '../src/report/record-types.ts'
import { reportText } from '../src/report/text.ts'
import { whatIfText } from '../src/report/what-if/text.ts'
import { NO_CHANGE } from '../src/trace/change.ts'
import { whatIf } from '../src/what-if.ts'
import { pcap } from './files.ts'
import { ipv4, query, udp } from './packets.ts'

const FOLDER = mkdtempSync(join(tmpdir(), 'dnstrail-filter-'))
afterAll(() => rmSync(FOLDER, { recursive: true }))

const PAGE = { width: 80, color: false }
const optionsFor = (filters: Partial<Filters>, file = 'samples/00-search-chain.pcap') => ({
  files: [file],
  filters: { ...NO_FILTERS, ...filters },
  hints: { resources: null, roles: [], resolvConf: null, clusterDomain: null },
})

test('the report tells what is left of how many', async () => {
  const report = await analyze(optionsFor({ name: 'google.com', pod: '10.244.0.21' }))
  expect(report.filters).toEqual({ ...NO_FILTERS, name: 'google.com', pod: '10.244.0.21', lookupsInAll: 7 })
  expect(report.totals.lookups).toBe(2)
  expect(reportText(report, PAGE)).toContain('\nFilter    --pod 10.244.0.21 --name google.com: 2 of 7 lookups\n')
  const whole = await analyze(optionsFor({}))
  expect(whole.filters).toBeNull()
  expect(reportText(whole, PAGE)).not.toContain('Filter')
})

test('a filter that matches nothing says so, and the capture is as good as it is', async () => {
  const report = await analyze(optionsFor({ pod: 'zzz' }))
  expect(report.quality).toEqual({ grade: 'good', remarks: [] })
  expect(reportText(report, PAGE)).toContain('\nFilter    no lookup matches --pod zzz (7 lookups without it)\n')
})

test("hops of no lookup are left out by their time and name, and are nobody's", async () => {
  const FORWARDER = 'samples/06-upstream-timeout.pcap'
  const hops = async (filters: Partial<Filters>): Promise<HopRecord[]> => {
    const told: HopRecord[] = []
    await analyze(optionsFor(filters, FORWARDER), { hop: hop => told.push(hop) })
    return told.filter(({ lookup }) => lookup === null)
  }
  const all = await hops({})
  expect(all.length).toBeGreaterThan(1)
  const { qname } = all[0] as { qname: string }
  expect(await hops({ pod: 'zzz' })).toEqual([])
  expect(await hops({ until: '2001-01-01T00:00:00Z' })).toEqual([])
  expect(await hops({ name: qname })).toEqual(all.filter(hop => hop.qname === qname))
  expect(await hops({ name: 'nobody.example' })).toEqual([])
})

test('what-if and compare say so, too', async () => {
  const nothing = optionsFor({ pod: 'zzz', name: 'google.com' })
  const { whatIf: result } = await whatIf(nothing, { ...NO_CHANGE, trailingDot: ['google.com'] })
  const sentence = 'no lookup matches --pod zzz --name google.com (7 lookups without them)'
  expect(result.unknown).toEqual([`${sentence}.`])
  expect(whatIfText(result, PAGE)).toContain(`Filter    ${sentence}`)
  const { comparison } = await compare(nothing, nothing)
  const text = compareText(comparison, PAGE)
  expect(text).toContain(sentence)
  expect(text).toContain('nothing can be compared: no lookup of either side matches the filters')
})

test("a lone query that is nobody's lookup is a query", async () => {
  const file = join(FOLDER, 'root.pcap')
  const bytes = ipv4({}, udp({}, query('.', { type: 'NS' })))
  writeFileSync(file, pcap([{ seconds: 1_700_000_100, nanos: 0, bytes, wireLength: bytes.length }], { linkType: 101 }))
  const report = await analyze(optionsFor({}, file))
  expect(report.totals).toMatchObject({ messages: 1, lookups: 0 })
  expect(report.quality.remarks.join()).not.toContain('not one query')
})
