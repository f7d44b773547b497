/**
 * One direction alone, as a filter such as "dst port 53" or "src port 53" leaves it: the samples' lookups are the same, by whom, for which
 * name, with which candidates; what the missing direction knows is not told.
 */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { analyze } from '../src/analyze.ts'
import type { HopRecord, LookupRecord } from '../src/report/record-types.ts'
import { written } from './files.ts'

/** Where the IP header begins in the samples' pcap files, by link type. */
const HEADER: Record<number, number> = { 1: 14, 276: 20 }
const DNS = 53

/** The frames to a DNS port, or from one. */
function oneWay(capture: Buffer, to: boolean): Buffer {
  const header = HEADER[capture.readUInt32LE(20)]!
  const parts = [capture.subarray(0, 24)]
  for (let at = 24; at < capture.length; ) {
    const length = capture.readUInt32LE(at + 8)
    const packet = capture.subarray(at + 16, at + 16 + length)
    const ports = header + (packet[header]! & 15) * 4
    if (packet.readUInt16BE(ports + (to ? 2 : 0)) === DNS) parts.push(capture.subarray(at, at + 16 + length))
    at += 16 + length
  }
  return Buffer.concat(parts)
}

async function read(file: string) {
  const filters = { namespace: null, pod: null, name: null, since: null, until: null }
  const hints = { resources: null, roles: [], resolvConf: null, clusterDomain: null }
  const lookups: LookupRecord[] = []
  const hops: HopRecord[] = []
  const report = await analyze(
    { files: [file], filters, hints },
    { lookup: lookup => lookups.push(lookup), hop: hop => hops.push(hop) },
  )
  return { report, lookups, hops }
}

const asked = ({ client, name, candidates, queries }: LookupRecord): string =>
  `${client.address} ${name} ${candidates.map(c => c.suffix).join(' ')} ${queries}`

const SAMPLE = 'samples/00-search-chain.pcap'

test('queries alone: all lookups, their candidates and what they searched in vain', async () => {
  const whole = await read(SAMPLE)
  const { report, lookups, hops } = await read(written('queries.pcap', oneWay(readFileSync(SAMPLE), true)))
  expect(lookups.map(asked).sort()).toEqual(whole.lookups.map(asked).sort())
  expect(report.waste).toMatchObject({ search: whole.report.waste.search, nxdomain: null, waitMs: null })
  expect(new Set(lookups.map(({ outcome, waitMs }) => `${outcome} ${waitMs}`))).toEqual(new Set(['not-captured null']))
  expect(new Set(hops.map(({ outcome, waitMs }) => `${outcome} ${waitMs}`))).toEqual(new Set(['not-captured null']))
  expect(report.totals.failed).toBe(0)
  expect(report.edges.map(edge => edge.unanswered)).toEqual(report.edges.map(() => null))
  expect(report.quality.remarks.join()).toMatch(/^Only queries were captured .* is not known\.$/)
})

test('responses alone: all lookups with their outcomes', async () => {
  const whole = await read(SAMPLE)
  const { report, lookups } = await read(written('responses.pcap', oneWay(readFileSync(SAMPLE), false)))
  const told = (lookup: LookupRecord): string => `${asked(lookup)} ${lookup.outcome}`
  expect(lookups.map(told).sort()).toEqual(whole.lookups.map(told).sort())
  expect(report.waste).toMatchObject({ search: whole.report.waste.search, nxdomain: whole.report.waste.nxdomain })
  expect(report.waste).toMatchObject({ waitMs: null, bytes: null })
  expect(new Set(lookups.map(({ waitMs }) => waitMs))).toEqual(new Set([null]))
  expect(report.quality.remarks.join()).toMatch(/^Only responses were captured .* is not known\.$/)
})
