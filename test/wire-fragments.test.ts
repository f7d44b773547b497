/** IP fragments: in any order, at several interfaces, cut, missing, contradicting each other. */
import { describe, expect, test } from 'vitest'
import { CLIENT, ethernet, fragments4, fragments6, ipv4, query, response, SERVER, udp, vxlan } from './packets.ts'
import { countedOnce, decoded, lines } from './wire-rows.ts'

const long = response(
  'long.example',
  Array.from({ length: 40 }, (_, i) => `192.0.2.${i}`),
  { id: 9 },
)
const layer = udp({ fromPort: 53, toPort: 40_000 }, long)
const BACK = { from: SERVER, to: CLIENT }
const pieces = fragments4(BACK, layer, 512).map(packet => ethernet(packet))
const LINE = '10.96.0.10:53 > 10.244.0.11:40000 udp NOERROR 9 A long.example'

describe('a message in fragments', () => {
  test('belongs to the frame of its last piece, and is as large as the datagram', () => {
    const { lines, rows, capture } = decoded(pieces)
    expect(lines).toEqual([`#3 ${LINE}`])
    expect(rows[0]).toMatchObject({ size: 20 + layer.bytes.length, addresses: 40, ipId: 1 })
    expect(capture).toMatchObject({ dnsFrames: 1, partFrames: 2, otherFrames: 0 })
  })

  test.each([[[2, 1, 0]], [[1, 2, 0]], [[2, 0, 1]], [[1, 0, 2]]])('in the order %j', order => {
    const { lines, capture } = decoded(order.map(i => pieces[i]))
    expect(lines).toEqual([`#3 ${LINE}`])
    expect(capture).toMatchObject({ dnsFrames: 1, partFrames: 2, otherFrames: 0 })
  })

  test('in IPv6', () => {
    const frames = fragments6({}, udp({}, query('example.com')), 16).map(packet => ethernet(packet))
    expect(lines(frames)).toEqual([`#${frames.length} fd00::11:40000 > fd00::53:53 udp query 1 A example.com`])
  })

  test('copies of pieces at interfaces without a number are no second message', () => {
    expect(lines(pieces.flatMap(piece => [piece, piece]))).toHaveLength(1)
  })

  test('copies at other interfaces do not mix', () => {
    const frames = pieces.flatMap(bytes => [
      { bytes, index: 0 },
      { bytes, index: 1 },
    ])
    expect(lines(frames)).toEqual([`#5 ${LINE}`, `#6 ${LINE}`])
  })

  test('the same identification again, later, is another datagram', () => {
    const later = pieces.map((bytes, i) => ({ bytes, milliseconds: 500 + i }))
    expect(lines([...pieces, ...later])).toEqual([`#3 ${LINE}`, `#6 ${LINE}`])
  })

  test('cut by the snap length', () => {
    const cut = pieces.map(bytes => ({ bytes: bytes.subarray(0, 100), wireLength: bytes.length }))
    expect(lines(cut)).toEqual([`#3 ${LINE} cut`])
  })

  test('a tunnel in fragments', () => {
    const inner = ethernet(ipv4({}, udp({}, query('example.com'))))
    const frames = fragments4({ from: '172.18.0.2', to: '172.18.0.3' }, vxlan(inner), 48).map(packet =>
      ethernet(packet),
    )
    const { lines, capture } = decoded(frames)
    expect(lines).toEqual([`#${frames.length} 10.244.0.11:40000 > 10.96.0.10:53 udp query 1 A example.com`])
    expect(capture).toMatchObject({ dnsFrames: 1, partFrames: frames.length - 1 })
  })
})

describe('what is missing or wrong', () => {
  test('only the first piece, as a filter "port 53" leaves it: a cut message at its time', () => {
    const { lines, rows, issues, capture } = decoded([pieces[0]])
    expect(lines).toEqual([`#1 ${LINE} cut`])
    expect(rows[0].ancount).toBe(40)
    expect(issues).toEqual(['fragments-lost 1'])
    expect(capture).toMatchObject({ dnsFrames: 1, partFrames: 0, cutMessages: 1 })
  })

  test('comes out when the clock has moved on, not at the end', () => {
    const later = { bytes: ethernet(ipv4({}, udp({}, query('example.com')))), milliseconds: 10_000 }
    expect(lines([pieces[0], later]).map(line => line.slice(0, 2))).toEqual(['#1', '#2'])
  })

  test('pieces that overlap condemn the datagram (RFC 5722)', () => {
    const evil = ethernet(ipv4({ ...BACK, offset: 504, more: true }, { protocol: 17, bytes: Buffer.alloc(64) }))
    const { lines, issues } = decoded([pieces[0], evil, pieces[1], pieces[2]])
    expect(lines).toEqual([])
    expect(issues).toEqual(['fragments-overlap 1'])
  })

  test('fragments of something else are other frames', () => {
    const other = fragments4({}, udp({ toPort: 9999 }, Buffer.alloc(600)), 256).map(packet => ethernet(packet))
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
    ]) {
      const { capture } = decoded(order.map(i => other[i]))
      expect(capture).toMatchObject({ otherFrames: 3, partFrames: 0, dnsFrames: 0 })
    }
  })

  test('a flood of halves stays bounded', () => {
    const halves = Array.from({ length: 30_000 }, (_, i) => ({
      bytes: ethernet(
        ipv4({ ...BACK, id: i & 0xffff, more: true }, udp({ fromPort: 53, length: 4000 }, long.subarray(0, 200))),
      ),
      milliseconds: 0,
    }))
    const { issues, capture } = decoded(halves)
    expect(issues.some(issue => issue.startsWith('fragments-limit'))).toBe(true)
    expect(countedOnce(capture)).toBe(true)
  })
})
