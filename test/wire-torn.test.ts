/**
 * Torn and damaged frames. Whatever the bytes are, nothing throws and every frame is counted once: every prefix of every kind of
 * frame, cut by the capture and shortened on the wire, and frames with bytes changed at random from a fixed seed.
 */
import { describe, expect, test } from 'vitest'
import { readAnswers } from '../src/wire/answers.ts'
import {
  cooked,
  cooked2,
  erspan,
  ethernet,
  extension,
  fragments4,
  fragments6,
  geneve,
  gre,
  ipInIp,
  ipv4,
  ipv6,
  mpls,
  nflog,
  pppoe,
  prefixed,
  query,
  response,
  tcp,
  udp,
  unreachable,
  unreachable6,
  vxlan,
} from './packets.ts'
import { countedOnce, decoded, ETHERNET, type Given, RAW, SLL, SLL2 } from './wire-rows.ts'

const answer = response('www.example.com', ['192.0.2.1', { type: 'CNAME', name: 'a.example', data: 'b.example' }], {
  edns: true,
})
const packet = ipv4({}, udp({ fromPort: 53, toPort: 40_000 }, answer))
const packet6 = ipv6({}, extension(0, extension(43, udp({}, query('example.com', { edns: true })))))
const stream = ipv4({}, tcp({ sequence: 9 }, prefixed(query('example.com'))))

const SAMPLES: Record<string, { link: number; bytes: Buffer }> = {
  udp: { link: ETHERNET, bytes: ethernet(packet) },
  ipv6: { link: ETHERNET, bytes: ethernet(packet6, { tags: [5, 6] }) },
  tcp: { link: ETHERNET, bytes: ethernet(stream) },
  fragment: { link: ETHERNET, bytes: ethernet(fragments4({}, udp({}, answer), 64)[0]) },
  fragment6: { link: ETHERNET, bytes: ethernet(fragments6({}, udp({}, answer), 64)[0]) },
  icmp: { link: ETHERNET, bytes: ethernet(ipv4({}, unreachable(packet))) },
  icmpv6: { link: ETHERNET, bytes: ethernet(ipv6({}, unreachable6(packet6))) },
  vxlan: { link: ETHERNET, bytes: ethernet(ipv4({}, vxlan(ethernet(stream)))) },
  geneve: { link: ETHERNET, bytes: ethernet(ipv4({}, geneve(ethernet(packet6)))) },
  gre: { link: ETHERNET, bytes: ethernet(ipv4({}, gre(0x8847, mpls([1, 2], packet)))) },
  erspan: { link: ETHERNET, bytes: ethernet(ipv4({}, erspan(ethernet(packet)))) },
  ipip: { link: RAW, bytes: ipv4({}, ipInIp(packet6)) },
  pppoe: { link: ETHERNET, bytes: ethernet(pppoe(packet), { type: 0x8864 }) },
  sll: { link: SLL, bytes: cooked(packet) },
  sll2: { link: SLL2, bytes: cooked2(packet) },
  nflog: { link: 239, bytes: nflog(packet) },
}

describe('every prefix', () => {
  test.each(Object.entries(SAMPLES))('%s', (_, { link, bytes }) => {
    for (let length = 0; length <= bytes.length; length++) {
      const prefix = bytes.subarray(0, length)
      const cut = decoded([{ bytes: prefix, wireLength: bytes.length }], link)
      const short = decoded([prefix], link)
      expect(countedOnce(cut.capture)).toBe(true)
      expect(countedOnce(short.capture)).toBe(true)
      // What the capture cut is never the sender's fault.
      expect(cut.lines.filter(line => line.includes('malformed'))).toEqual([])
    }
  })
})

/** Numbers that are the same in every run. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

describe('bytes changed at random', () => {
  const links = [0, 1, 9, 12, 50, 51, 101, 108, 113, 129, 149, 228, 229, 239, 258, 276]
  const samples = Object.values(SAMPLES)

  test.each([1, 2, 3, 4, 5])('seed %d', seed => {
    const random = randomFrom(seed)
    const frames: Given[] = []
    for (let i = 0; i < 5000; i++) {
      const sample = samples[random(samples.length)]
      const bytes = Buffer.from(sample.bytes)
      for (let n = random(5); n > 0; n--) bytes[random(bytes.length)] = random(256)
      const link = random(20) === 0 ? links[random(links.length)] : sample.link
      const end = random(5) === 0 ? random(bytes.length + 1) : bytes.length
      const wireLength = random(5) === 0 ? random(2000) : bytes.length
      frames.push({ bytes: bytes.subarray(0, end), link, wireLength, milliseconds: random(60_000) })
    }
    const { capture } = decoded(frames)
    expect(countedOnce(capture)).toBe(true)
    expect(capture.messages).toBeGreaterThan(0)
  })

  test('what is shown of them does not throw either', () => {
    const random = randomFrom(9)
    for (let i = 0; i < 5000; i++) {
      const bytes = Buffer.from(answer)
      for (let n = random(6); n > 0; n--) bytes[random(bytes.length)] = random(256)
      expect(readAnswers(bytes, 0, random(bytes.length + 1))).toBeInstanceOf(Array)
    }
  })
})
