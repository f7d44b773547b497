/** `tcpdump -i any` inside a pod: all that it sends begins there, as on a host, and it is a pod all the same. */
import { expect, test } from 'vitest'
import { NANOS, type Packet, pcap, written } from './files.ts'
import { CLIENT, cooked2, ipv4, query, response, SERVER, udp } from './packets.ts'
import { run } from './recordings.ts'

const SLL2 = 276
const SUFFIXES = ['.shop.svc.cluster.local', '.svc.cluster.local', '.cluster.local', '']
const OTHER = '10.244.0.12'

/** Walks over the search list, the queries on their way out of the machine that was captured. */
function walks(client: string, names: string[], at: number): Packet[] {
  let micros = at
  return names.flatMap(name =>
    SUFFIXES.flatMap(suffix => {
      micros += 1000
      const id = micros & 0xffff
      const port = 30_000 + (micros % 20_011)
      const packet = (after: number, bytes: Buffer): Packet => ({
        seconds: 1_700_000_000,
        nanos: (micros + after) * 1000,
        bytes,
      })
      const answer =
        suffix === '' ? response(name, ['192.0.2.1'], { id }) : response(name + suffix, [], { id, flags: 0x8583 })
      return [
        packet(
          0,
          cooked2(ipv4({ from: client, to: SERVER, id }, udp({ fromPort: port }, query(name + suffix, { id }))), {
            packetType: 4,
          }),
        ),
        packet(
          300,
          cooked2(ipv4({ from: SERVER, to: client, id, ttl: 62 }, udp({ fromPort: 53, toPort: port }, answer))),
        ),
      ]
    }),
  )
}

const NAMES = ['www.example.com', 'api.example.net', 'cdn.example.org']

async function rolesIn(name: string, packets: Packet[]): Promise<Record<string, string>> {
  const file = written(
    name,
    pcap(
      packets.sort((a, b) => a.nanos - b.nanos),
      { linkType: SLL2, magic: NANOS },
    ),
  )
  const { report } = await run([file])
  return Object.fromEntries(report.endpoints.map(({ address, role }) => [address, role]))
}

test('alone in its capture, and with the search list of a namespace: its own pod', async () => {
  expect(await rolesIn('pod-any.pcap', walks(CLIENT, NAMES, 0))).toMatchObject({ [CLIENT]: 'pod' })
})

test('beside others it is a host, whose own processes ask', async () => {
  const packets = [...walks(CLIENT, NAMES, 0), ...walks(OTHER, NAMES, 200), ...walks('10.244.0.13', NAMES, 400)]
  expect(await rolesIn('host-any.pcap', packets)).toMatchObject({ [CLIENT]: 'host' })
})
