/** Captures that are decoded on threads of their own: the same report as on one thread, for whatever is given. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { Options } from '../src/analyze.ts'
import { type Packet, pcap, written } from './files.ts'
import { ethernet, ipv4, prefixed, query, tcp, udp } from './packets.ts'
import { RECORDINGS } from './recordings.ts'

// A thread runs what was built.
const { analyze } = (await import('../dist/analyze.js' as string)) as typeof import('../src/analyze.ts')

const SAMPLES = fileURLToPath(new URL('../samples/', import.meta.url))
const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map(name => join(folder, name))
    .filter(file => statSync(file).isFile() && /\.pcap(ng)?$/.test(file))
    .sort()

const AT_ONCE = 1
const NEVER = Number.POSITIVE_INFINITY

async function outcomeOf(files: string[], worthAThread: number, more: Partial<Options> = {}): Promise<unknown> {
  const filters = { namespace: null, pod: null, name: null, since: null, until: null }
  const hints = { resources: null, roles: [], resolvConf: null, clusterDomain: null }
  try {
    return await analyze({ files, filters, hints, worthAThread, ...more })
  } catch (error) {
    return (error as Error).message
  }
}

async function expectSame(files: string[], more?: Partial<Options>): Promise<void> {
  expect(await outcomeOf(files, AT_ONCE, more)).toEqual(await outcomeOf(files, NEVER, more))
}

/** Wherever there is one processor only, nothing here is decoded on another thread. */
describe.skipIf(availableParallelism() < 2)('decoding on another thread gives the same report', () => {
  test.each(filesIn(SAMPLES).map(file => [file.slice(SAMPLES.length), file]))('of %s', async (_, file) => {
    await expectSame([file])
  })

  test('of several captures, whose clocks are compared first', async () => {
    for (const folder of ['02-nodelocal', '06-lost-legs']) await expectSame(filesIn(join(SAMPLES, folder)))
  })

  test.skipIf(!existsSync(RECORDINGS))('of recordings with several interfaces, tunnels and TCP', async () => {
    for (const name of ['07-truncation-tcp-fragments', '08-dualstack-ipv6', '09-vxlan'])
      await expectSame(filesIn(join(RECORDINGS, name)).slice(0, 4))
  })

  test('of a capture that is compressed', async () => {
    const packed = gzipSync(readFileSync(join(SAMPLES, '00-search-chain.pcap')))
    await expectSame([written('packed.pcap.gz', packed)])
  })

  test('of a capture that ends in the middle of a frame', async () => {
    const whole = readFileSync(join(SAMPLES, '01-glibc-clusterip.pcap'))
    await expectSame([written('cut.pcap', whole.subarray(0, whole.length - 7))])
  })

  test('of a flow log, which stays on this one', async () => {
    const folder = fileURLToPath(new URL('fixtures/hubble/', import.meta.url))
    for (const name of readdirSync(folder)) await expectSame([join(folder, name)])
  })

  test('where one frame brings more rows than a block has room for', async () => {
    const frames: Packet[] = []
    const add = (bytes: Buffer): number => frames.push({ seconds: 1_700_000_000, nanos: frames.length * 1000, bytes })
    for (let i = 0; i < 3999; i++)
      add(ethernet(ipv4({}, udp({ fromPort: 20_000 + i }, query(`name${i}.example.com`, { id: i })))))
    const messages = Array.from({ length: 300 }, (_, i) => prefixed(query('tcp.example.com', { id: i })))
    add(ethernet(ipv4({}, tcp({}, Buffer.concat(messages)))))
    for (let i = 0; i < 200; i++) add(ethernet(ipv4({}, udp({}, query('later.example.com', { id: i })))))
    await expectSame([written('many-in-one.pcap', pcap(frames))])
  })

  test('and the same sentence for what is no capture', async () => {
    const nothing = written('nothing.pcap', Buffer.from('no capture at all, but long enough to be looked at'))
    await expectSame([nothing])
    await expectSame([join(SAMPLES, '00-search-chain.pcap'), nothing])
  })

  test('and stops where the run was interrupted before', async () => {
    await expectSame([join(SAMPLES, '00-search-chain.pcap')], { signal: AbortSignal.abort() })
  })
})
