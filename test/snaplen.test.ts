/**
 * One traffic in two captures, of which one cut the packets: what is left of a message still is a sighting of it, whichever of name and type
 * is missing, and makes no lookup of its own.
 */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { analyze } from '../src/analyze.ts'
import type { HopRecord, LookupRecord } from '../src/report/record-types.ts'
import { written } from './files.ts'

/** The samples' pcap files: little-endian, Ethernet or SLL2. */
function cut(capture: Buffer, snapLength: number, later: number): Buffer {
  const parts = [capture.subarray(0, 24)]
  for (let at = 24; at < capture.length; ) {
    const length = capture.readUInt32LE(at + 8)
    const header = Buffer.from(capture.subarray(at, at + 16))
    header.writeUInt32LE(header.readUInt32LE(4) + later, 4)
    header.writeUInt32LE(Math.min(length, snapLength), 8)
    parts.push(header, capture.subarray(at + 16, at + 16 + Math.min(length, snapLength)))
    at += 16 + length
  }
  return Buffer.concat(parts)
}

async function lookupsOf(files: string[]): Promise<string[]> {
  const filters = { namespace: null, pod: null, name: null, since: null, until: null }
  const hints = { resources: null, roles: [], resolvConf: null, clusterDomain: null }
  const lookups: string[] = []
  const lookup = ({ client, name, outcome, queries }: LookupRecord): void => {
    lookups.push(`${client.address} ${name} ${outcome} ${queries}`)
  }
  await analyze({ files, filters, hints }, { lookup })
  return lookups.sort()
}

// Ethernet, IP, UDP and DNS headers take 54 bytes, so of all names nothing, a part, or all but the type is left.
test.each([54, 62, 84, 90, 96])('%i bytes of each packet beside the whole ones', async snapLength => {
  const whole = 'samples/00-search-chain.pcap'
  const file = written(`snap-${snapLength}.pcap`, cut(readFileSync(whole), snapLength, 3))
  expect(await lookupsOf([whole, file])).toEqual(await lookupsOf([whole]))
})

test('nothing is called cached where the names of what the cache asked were cut', async () => {
  const servedFrom = async (file: string): Promise<Set<HopRecord['servedFrom']>> => {
    const seen = new Set<HopRecord['servedFrom']>()
    const filters = { namespace: null, pod: null, name: null, since: null, until: null }
    const hints = { resources: null, roles: [], resolvConf: null, clusterDomain: null }
    await analyze({ files: [file], filters, hints }, { hop: hop => seen.add(hop.servedFrom) })
    return seen
  }
  const whole = 'samples/02-nodelocal/node-a.pcap'
  expect(await servedFrom(whole)).toContain('cache')
  const of = await servedFrom(written('snap-nodelocal.pcap', cut(readFileSync(whole), 96, 0)))
  expect(of).toContain('forwarded')
  expect(of).not.toContain('cache')
})
