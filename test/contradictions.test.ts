/** What the user says and the packets contradict is reported, and only that. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { Role } from '../src/model.ts'
import { contradictionOf, type Deeds } from '../src/trace/contradictions.ts'
import { run } from './recordings.ts'

const CAPTURE = join(fileURLToPath(new URL('../samples', import.meta.url)), '02-nodelocal/node-a.pcap')

describe('a role given by the user', () => {
  test('that the packets contradict is in doubt, and the report says so', async () => {
    const { quality } = (await run([CAPTURE], { roles: [{ role: 'upstream', addresses: ['10.96.0.10'] }] })).report
    expect(quality.remarks.join(' ')).toMatch(
      /10\.96\.0\.10 was given as upstream, but it answered \d+ names of cluster/,
    )
    expect(quality.grade).toBe('fair')
  })

  test('that fits is not', async () => {
    const roles = [
      { role: 'node-local-cache' as Role, addresses: ['10.96.0.10', '169.254.20.10'] },
      { role: 'coredns' as Role, addresses: ['10.244.1.5'] },
      { role: 'upstream' as Role, addresses: ['172.18.0.53'] },
      { role: 'pod' as Role, addresses: ['10.244.0.11'] },
    ]
    expect((await run([CAPTURE], { roles })).report.quality.remarks.join()).not.toContain('was given as')
  })

  const nothing: Deeds = { clusterAuthority: 0, asked: 0, forwardsServices: false, knownAs: null }
  test.each<[Role, Partial<Deeds>, RegExp | null]>([
    ['upstream', { clusterAuthority: 3 }, /with authority/],
    ['upstream', { clusterAuthority: 2 }, null],
    ['coredns', { forwardsServices: true }, /asks others/],
    ['coredns', { knownAs: 'Google Public DNS' }, /is Google Public DNS/],
    ['node-local-cache', { clusterAuthority: 100 }, null],
    ['pod', { clusterAuthority: 100 }, /only answers/],
    ['pod', { clusterAuthority: 100, asked: 20 }, null],
    ['host', {}, null],
  ])('%s %j', (given, deeds, but) => {
    const said = contradictionOf(given, 'cluster.local', { ...nothing, ...deeds })
    if (but === null) expect(said).toBeNull()
    else expect(said).toMatch(but)
  })
})
