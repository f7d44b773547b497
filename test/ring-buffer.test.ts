/** The pieces of a ring buffer (tcpdump -C, -W) are one capture: wherever it was cut, nothing is lost. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { analyze } from '../src/analyze.ts'
import type { HopRecord } from '../src/report/record-types.ts'
import { written } from './files.ts'

const SAMPLE = join(fileURLToPath(new URL('../samples', import.meta.url)), '00-search-chain.pcap')
const FILE_HEADER = 24
const RECORD_HEADER = 16

async function told(files: string[]): Promise<unknown[]> {
  const hops: HopRecord[] = []
  await analyze(
    {
      files,
      filters: { namespace: null, pod: null, name: null, since: null, until: null },
      hints: { resources: null, roles: [], resolvConf: null, clusterDomain: null },
    },
    { hop: hop => hops.push(hop) },
  )
  return hops.map(hop => [hop.start, hop.qname, hop.qtype, hop.outcome, hop.waitMs])
}

test('a response in the next piece is no lost response', async () => {
  const bytes = readFileSync(SAMPLE)
  const whole = await told([SAMPLE])
  for (let at = FILE_HEADER; at < bytes.length; at += RECORD_HEADER + bytes.readUInt32LE(at + 8)) {
    if (at === FILE_HEADER) continue
    const first = written(`ring-${at}-0.pcap`, bytes.subarray(0, at))
    const second = written(`ring-${at}-1.pcap`, Buffer.concat([bytes.subarray(0, FILE_HEADER), bytes.subarray(at)]))
    expect(await told([first, second])).toEqual(whole)
  }
})
