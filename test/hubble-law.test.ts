/**
 * The law of the two inputs: what a pod's traffic comes to does not depend on whether packets or flows tell of it. Lookups, outcomes and
 * waits are the same; what Hubble cannot know is null.
 */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { analyze } from '../src/analyze.ts'
import type { HopRecord, LookupRecord } from '../src/report/record-types.ts'
import type { Report } from '../src/report/report-types.ts'
import { written } from './files.ts'
import { flowLogOf } from './flow-log.ts'

const SAMPLES = fileURLToPath(new URL('../samples', import.meta.url))
/** Captures at a pod's own interface, of which the flows of a DNS proxy would tell; beside the project, not in it. */
const CAPTURES = fileURLToPath(new URL('../../shared/captures', import.meta.url))

const files = [
  ...readdirSync(SAMPLES)
    .filter(name => name.endsWith('.pcap'))
    .map(name => join(SAMPLES, name)),
  ...(existsSync(CAPTURES)
    ? readdirSync(CAPTURES, { recursive: true, encoding: 'utf8' })
        .filter(name => /\/pod-(?!coredns)[^/]*eth0\.pcap$/.test(name))
        .map(name => join(CAPTURES, name))
    : []),
].sort()

async function analyzed(file: string): Promise<{ report: Report; lookups: LookupRecord[]; hops: HopRecord[] }> {
  const lookups: LookupRecord[] = []
  const hops: HopRecord[] = []
  const report = await analyze(
    {
      files: [file],
      filters: { namespace: null, pod: null, name: null, since: null, until: null },
      hints: { resources: null, roles: [], resolvConf: null, clusterDomain: null },
    },
    { lookup: lookup => lookups.push(lookup), hop: hop => hops.push(hop) },
  )
  return { report, lookups, hops }
}

const keyOf = ({ client, start }: LookupRecord): string => `${client.address} ${start}`

/** What both inputs tell of a lookup. */
const common = (lookup: LookupRecord | undefined) =>
  lookup && {
    name: lookup.name,
    qtypes: [...lookup.qtypes].sort(),
    outcome: lookup.outcome,
    waitMs: lookup.waitMs,
    queries: lookup.queries,
    search: lookup.waste.search,
    family: lookup.waste.family,
    nxdomain: lookup.waste.nxdomain,
    // Of other types Hubble has no data.
    answers: lookup.qtypes.every(type => type === 'A' || type === 'AAAA') ? [...lookup.answers].sort() : [],
  }

const SETTLED = ['answered', 'nodata', 'nxdomain', 'servfail', 'refused']

/**
 * A lookup that Hubble can tell whole. It knows no ICMP errors, no truncation (so nothing of the TCP that follows it), and no ids, by
 * which tries of a lost query are told apart.
 */
function isWhole(lookup: LookupRecord, hops: HopRecord[]): boolean {
  const own = hops.filter(hop => hop.lookup === lookup.id)
  // A stub may be content with what is left of a truncated answer; other clients then ask for the same name over TCP.
  const large = new Set(hops.filter(hop => hop.transport === 'tcp').map(hop => hop.qname))
  if (own.some(hop => !SETTLED.includes(hop.outcome) || large.has(hop.qname) || hop.retransmissions > 0)) return false
  // How long a stub waits for what never comes depends on which it is, and that Hubble cannot tell.
  if (lookup.waitInferred) return false
  // musl alone calls a name missing when one of its legs says so.
  return !(lookup.resolver === 'musl' && lookup.outcome === 'nxdomain' && own.some(hop => hop.outcome === 'answered'))
}

describe.each(files.map(file => [file.split('/').slice(-2).join('/'), file]))('%s', (name, file) => {
  test('gives the same from flows', { timeout: 60_000 }, async () => {
    const packets = await analyzed(file)
    const flows = await analyzed(written(`law-${name.replaceAll('/', '-')}.jsonl`, Buffer.from(await flowLogOf(file))))
    const fromFlows = new Map(flows.lookups.map(lookup => [keyOf(lookup), lookup]))
    const whole = packets.lookups.filter(lookup => isWhole(lookup, packets.hops))
    expect(whole.map(lookup => common(fromFlows.get(keyOf(lookup))))).toEqual(whole.map(common))
  })

  test('and what Hubble cannot know is null', async () => {
    const { report, lookups, hops } = await analyzed(
      written(`null-${name.replaceAll('/', '-')}.jsonl`, Buffer.from(await flowLogOf(file))),
    )
    expect(hops.length).toBeGreaterThan(0)
    expect(hops.filter(hop => hop.dnsId !== null)).toEqual([])
    expect(lookups.filter(lookup => lookup.resolver !== null || lookup.waste.bytes !== null)).toEqual([])
    expect(report.waste).toMatchObject({ bytes: null, totalBytes: null })
    expect(report.quality.remarks.join(' ')).toMatch(/no ids, flags, sizes or EDNS/)
  })
})
