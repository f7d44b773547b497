/** A pod's own capture beside its node's: what is told is the same, and when is read at the node. */
import { expect, test } from 'vitest'
import { NANOS, type Packet, pcap, written } from './files.ts'
import { CLIENT, cooked2, ethernet, ipv4, query, response, SERVER, udp } from './packets.ts'
import { run } from './recordings.ts'

const SECONDS = 1_700_000_000
const COREDNS = '10.244.1.5'
const OTHER_POD = '10.244.0.12'
const US = 1000

interface Exchange {
  client?: string
  /** Microseconds from the first one's start at the node. */
  at: number
  name: string
  /** How long the pod's packets take to its node's end of the cable, and back. */
  out?: number
  back?: number
  /** The question was sent again after so long: its first try was lost behind the node. */
  again?: number
}

/** What a node's capture of all interfaces holds of it, in front of the translation and behind it, and what the pod's own holds. */
function seen({ client = CLIENT, at, name, out = 3, back = 2, again = 0 }: Exchange): {
  node: Packet[]
  pod: Packet[]
} {
  const port = 40_000 + (at % 9973)
  const packet = (micros: number, bytes: Buffer): Packet => ({ seconds: SECONDS, nanos: micros * US, bytes })
  const asked = (to: string, id: number, ttl: number) =>
    ipv4({ from: client, to, id, ttl }, udp({ fromPort: port }, query(name, { id: port })))
  const told = (from: string, ttl: number) =>
    ipv4(
      { from, to: client, id: port, ttl },
      udp({ fromPort: 53, toPort: port }, response(name, ['192.0.2.1'], { id: port })),
    )
  const last = at + again
  const tries = again > 0 ? [at, last] : [at]
  return {
    node: [
      ...tries.flatMap((time, i) => [
        packet(time, cooked2(asked(SERVER, i + 1, 64), { index: 10 })),
        packet(time + 1, cooked2(asked(COREDNS, i + 1, 63), { index: 2, packetType: 4 })),
      ]),
      packet(last + 500, cooked2(told(COREDNS, 63), { index: 2 })),
      packet(last + 501, cooked2(told(SERVER, 62), { index: 10, packetType: 4 })),
    ],
    pod: [
      ...tries.map((time, i) => packet(time - out, ethernet(asked(SERVER, i + 1, 64)))),
      packet(last + 501 + back, ethernet(told(SERVER, 62))),
    ],
  }
}

const file = (name: string, linkType: number, packets: Packet[]): string =>
  written(
    name,
    pcap(
      packets.sort((a, b) => a.nanos - b.nanos),
      { linkType, magic: NANOS },
    ),
  )

const exchanges: Exchange[] = [
  ...Array.from({ length: 8 }, (_, i) => ({ at: 100 + i * 10_000, name: `host${i}.example.com` })),
  { at: 110_000, name: 'busy.example.com', out: 130, back: 120 },
  { at: 120_000, name: 'again.example.com', out: 90, back: 80, again: 500_000 },
]
const inPod = exchanges.map(seen)
const elsewhere = exchanges.map(({ at }) => seen({ client: OTHER_POD, at: at + 5000, name: 'other.example.com' }))

const NODE = file(
  'node.pcap',
  276,
  [...inPod, ...elsewhere].flatMap(({ node }) => node),
)
const POD = file(
  'pod.pcap',
  1,
  inPod.flatMap(({ pod }) => pod),
)

test("what a pod's own capture adds changes no lookup's wait, and no hop's", async () => {
  const alone = await run([NODE])
  for (const files of [
    [NODE, POD],
    [POD, NODE],
  ]) {
    const together = await run(files)
    const waits = ({ name, waitMs, start, end }: (typeof alone.lookups)[number]) => ({ name, waitMs, start, end })
    expect(together.lookups.map(waits)).toEqual(alone.lookups.map(waits))
    const times = ({ qname, waitMs, ownMs, serverMs }: (typeof alone.hops)[number]) => ({
      qname,
      waitMs,
      ownMs,
      serverMs,
    })
    expect(together.hops.map(times)).toEqual(alone.hops.map(times))
    expect(together.hops.filter(({ frames }) => frames.some(({ file }) => file === 'pod.pcap'))).toHaveLength(10)
  }
})

test("where the node's capture is missing, the pod's own is asked", async () => {
  const { lookups } = await run([POD])
  const { waitMs } = lookups.find(({ name }) => name === 'busy.example.com')!
  expect(waitMs).toBeCloseTo(0.13 + 0.501 + 0.12, 6)
})

test('a capture further away is not asked, however much it holds', async () => {
  // As on another node: both ways take longer than a cable between two ends in one machine.
  const far = exchanges.map(exchange => seen({ ...exchange, out: 400, back: 300 }))
  const pod = file(
    'far-pod.pcap',
    1,
    far.flatMap(({ pod }) => pod),
  )
  const { lookups } = await run([pod, NODE])
  expect(lookups.find(({ name }) => name === 'host3.example.com')!.waitMs).toBeCloseTo(0.4 + 0.501 + 0.3, 6)
})
