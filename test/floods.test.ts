/**
 * Captures in which one thing comes by the thousand: servers, clients, askers of one name, queries without an answer. Whatever looks at
 * each of them for each of the others takes minutes here, so the runner's own limit of time tells; what is counted has to be right.
 */
import { expect, test } from 'vitest'
import { analyze } from '../src/analyze.ts'
import type { Report } from '../src/report/report-types.ts'
import { type Packet, pcap, written } from './files.ts'
import { ethernet, ipv4, query, response, udp } from './packets.ts'

const SERVER = '10.96.0.10'
const START = 1_795_000_000

interface Message {
  /** Milliseconds. */
  at: number
  from: string
  to: string
  port: number
  id: number
  name: string
  rcode?: number
  isAnswer?: boolean
}

function packet({ at, from, to, port, id, name, rcode = 0, isAnswer = false }: Message): Packet {
  const answers = rcode === 0 ? [{ type: 'A' as const, name, ttl: 30, data: '192.0.2.1' }] : []
  const ports = isAnswer ? { fromPort: 53, toPort: port } : { fromPort: port }
  const message = isAnswer ? response(name, answers, { id, rcode }) : query(name, { id })
  const bytes = ethernet(ipv4({ from, to }, udp(ports, message)))
  return { seconds: START + Math.floor(at / 1000), nanos: Math.round((at % 1000) * 1e6), bytes }
}

const asked = (message: Message): Packet[] => [packet(message)]
const answered = (message: Message, after = 1, rcode = 0): Packet[] => [
  packet(message),
  packet({ ...message, at: message.at + after, from: message.to, to: message.from, isAnswer: true, rcode }),
]

async function reportOf(name: string, packets: Packet[]): Promise<Report> {
  packets.sort((a, b) => a.seconds - b.seconds || a.nanos - b.nanos)
  const filters = { namespace: null, pod: null, name: null, since: null, until: null }
  const hints = { resources: null, roles: [], resolvConf: null, clusterDomain: null }
  return analyze({ files: [written(name, pcap(packets))], filters, hints })
}

const pod = (i: number): string => `10.244.${i >> 8}.${i & 255}`
const many = (n: number, each: (i: number) => Packet[]): Packet[] => Array.from({ length: n }, (_, i) => each(i)).flat()
const idOf = (i: number): number => i & 0xffff
const portOf = (i: number): number => 20_000 + (i % 40_000)

test('a recursive resolver that asks thousands of servers', { timeout: 30_000 }, async () => {
  const packets = many(12_000, i =>
    answered({
      at: i,
      from: '192.0.2.9',
      to: `100.64.${i >> 8}.${i & 255}`,
      port: portOf(i),
      id: idOf(i),
      name: 'a.example',
    }),
  )
  const { servers, totals } = await reportOf('scanner.pcap', packets)
  expect([totals.transactions, servers.length]).toEqual([12_000, 12_000])
  expect(servers.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 0)
})

test('thousands wait for one name behind a slow upstream', { timeout: 30_000 }, async () => {
  const name = 'popular.example.com'
  const packets = many(12_000, i => [
    ...asked({ at: i / 10, from: pod(i), to: SERVER, port: portOf(i), id: idOf(i), name }),
    ...asked({ at: i / 10 + 0.05, from: SERVER, to: '192.0.2.53', port: portOf(i), id: idOf(7 * i + 3), name }),
  ])
  const { totals } = await reportOf('popular.pcap', packets)
  expect(totals.transactions).toBe(24_000)
  expect(totals.lookups).toBe(12_000)
})

test('a DNS that is dead', { timeout: 30_000 }, async () => {
  const packets = many(20_000, i =>
    asked({ at: i, from: pod(i % 300), to: SERVER, port: portOf(i), id: idOf(i), name: `app${i % 997}.example.com` }),
  )
  const { totals } = await reportOf('dead.pcap', packets)
  const { unanswered, 'capture-ended': ended } = totals.outcomes
  expect([totals.lookups, unanswered + ended]).toEqual([20_000, 20_000])
  // Those of the last seconds might still have been answered.
  expect(ended).toBeLessThan(10_000)
})

test('the clock leaps by seventy years while lookups are open', async () => {
  const at = 70 * 365 * 86_400_000
  const { totals } = await reportOf('leap.pcap', [
    ...asked({ at: 0, from: pod(1), to: SERVER, port: 40_000, id: 1, name: 'before.example' }),
    ...answered({ at, from: pod(1), to: SERVER, port: 40_001, id: 2, name: 'after.example' }),
  ])
  expect([totals.outcomes.unanswered, totals.outcomes.answered]).toEqual([1, 1])
})

test('search lists of hundreds of pods complete each other', { timeout: 30_000 }, async () => {
  const suffixes = ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'corp.example']
  const walk = (i: number, name: string, from: string, until: number, start: number): Packet[] =>
    suffixes
      .slice(0, until)
      .flatMap((suffix, k) =>
        answered(
          { at: start + 3 * k, from, to: SERVER, port: portOf(i), id: idOf(9 * i + k), name: `${name}.${suffix}` },
          1,
          3,
        ),
      )
      .concat(
        until < suffixes.length
          ? []
          : answered({ at: start + 12, from, to: SERVER, port: portOf(i), id: idOf(9 * i + 5), name }),
      )
  const whole = many(1200, i => walk(i, `api${i % 7}.example.com`, pod(i % 400), 4, 40 * i))
  // One pod gives up each time after two domains.
  const part = many(6, i => walk(i, `part${i}.example.com`, pod(900), 2, 40 * (300 + 100 * i)))
  const { searchLists } = await reportOf('lists.pcap', [...whole, ...part])
  expect(searchLists).toHaveLength(401)
  for (const { client, searchList } of searchLists) expect([client, searchList]).toEqual([client, suffixes])
})

test('a client whose queries all have one port and id', { timeout: 30_000 }, async () => {
  const packets = many(30_000, i =>
    asked({ at: i / 10, from: pod(1), to: SERVER, port: 5353, id: 7, name: `n${i}.example.com` }),
  )
  const last = answered({ at: 4000, from: pod(1), to: SERVER, port: 5353, id: 7, name: 'last.example.com' })
  const { totals } = await reportOf('one-id.pcap', [...packets, ...last])
  expect([totals.transactions, totals.lookups, totals.outcomes.answered]).toEqual([30_001, 30_001, 1])
})

test('a client that asks for one name all the time, and is never answered', { timeout: 30_000 }, async () => {
  const packets = many(20_000, i =>
    asked({ at: i, from: pod(1), to: SERVER, port: portOf(i), id: idOf(3 * i), name: 'api.example.com' }),
  )
  const { totals } = await reportOf('one-name.pcap', packets)
  expect(totals.transactions).toBe(20_000)
  expect(totals.outcomes.answered).toBe(0)
})
