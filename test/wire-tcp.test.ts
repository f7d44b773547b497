/** DNS over TCP: segments out of order, twice, cut, missing, and what opens and ends a connection. */
import { describe, expect, test } from 'vitest'
import { TCP_SILENT } from '../src/model.ts'
import {
  CLIENT,
  cooked,
  ethernet,
  ipv4,
  prefixed,
  query,
  response,
  SERVER,
  type TcpOptions,
  tcp,
  udp,
} from './packets.ts'
import { countedOnce, decoded, lines, SLL } from './wire-rows.ts'

const ISN = 0xffff_fff0
const SERVER_ISN = 5000

/** A segment of the client; `at` counts the bytes of its stream from 0. */
const ask = (at: number, data: Buffer, options: TcpOptions = {}): Buffer =>
  ethernet(ipv4({}, tcp({ sequence: (ISN + 1 + at) >>> 0, ack: SERVER_ISN + 1, ...options }, data)))

const reply = (at: number, data: Buffer, options: TcpOptions = {}): Buffer =>
  ethernet(
    ipv4(
      { from: SERVER, to: CLIENT },
      tcp({ fromPort: 53, toPort: 40_000, sequence: SERVER_ISN + 1 + at, ack: (ISN + 1) >>> 0, ...options }, data),
    ),
  )

const NOTHING = Buffer.alloc(0)
const syn = () => ask(-1, NOTHING, { flags: 'S', ack: 0 })
const synAck = () => reply(-1, NOTHING, { flags: 'SA' })

const first = prefixed(query('one.example', { id: 1 }))
const second = prefixed(query('two.example', { id: 2 }))
const third = prefixed(query('three.example', { id: 3 }))
const all = Buffer.concat([first, second, third])

/** The numbers of the frames and the ids of the messages: "2:1 3:2". */
const found = (frames: Parameters<typeof lines>[0], link?: number) =>
  decoded(frames, link)
    .rows.map(row => `${row.frame}:${row.dnsId}`)
    .join(' ')

describe('messages and segments', () => {
  test('one in one', () => {
    expect(lines([syn(), ask(0, first)])).toEqual(['#2 10.244.0.11:40000 > 10.96.0.10:53 tcp query 1 A one.example'])
  })

  test('several in one', () => {
    expect(found([syn(), ask(0, all)])).toBe('2:1 2:2 2:3')
  })

  test('one over many belongs to the last', () => {
    const bytes = [...first].map((_, i) => ask(i, first.subarray(i, i + 1)))
    expect(found([syn(), ...bytes])).toBe(`${first.length + 1}:1`)
  })

  test('the length apart from the message', () => {
    expect(found([syn(), ask(0, first.subarray(0, 2)), ask(2, first.subarray(2))])).toBe('3:1')
  })

  test('size is the message with its length', () => {
    expect(decoded([syn(), ask(0, first)]).rows[0].size).toBe(first.length)
  })

  test('frames without a message are parts', () => {
    const { capture } = decoded([syn(), synAck(), ask(0, NOTHING), ask(0, first), reply(0, NOTHING)])
    expect(capture).toMatchObject({ dnsFrames: 1, partFrames: 4, messages: 1 })
  })
})

describe('order', () => {
  const [a, b, c] = [all.subarray(0, 20), all.subarray(20, 50), all.subarray(50)]
  const pieces = [ask(0, a), ask(20, b), ask(50, c)]

  test.each([[[0, 1, 2]], [[0, 2, 1]], [[1, 0, 2]], [[1, 2, 0]], [[2, 0, 1]], [[2, 1, 0]]])('%j', order => {
    const { rows, issues, capture } = decoded([syn(), ...order.map(i => pieces[i])])
    expect(rows.map(row => row.dnsId)).toEqual([1, 2, 3])
    expect(issues).toEqual([])
    expect(countedOnce(capture)).toBe(true)
  })

  test('retransmissions and overlaps give nothing twice', () => {
    const overlapping = [
      [0, 40],
      [10, 65],
      [0, all.length],
      [30, all.length],
    ].map(([start, end]) => ask(start, all.subarray(start, end)))
    expect(found([syn(), ...overlapping, ...overlapping])).toBe('2:1 3:2 4:3')
  })

  test('copies at interfaces without a number (SLL) look like retransmissions', () => {
    const copy = (frame: Buffer, packetType: number) => cooked(frame.subarray(14), packetType)
    const frames = [syn(), ask(0, first), ask(first.length, second)].flatMap(frame => [copy(frame, 0), copy(frame, 4)])
    expect(found(frames, SLL)).toBe('3:1 5:2')
  })

  test('copies at interfaces with a number are sightings', () => {
    const frames = [syn(), ask(0, first)].flatMap(bytes => [
      { bytes, index: 0 },
      { bytes, index: 1 },
    ])
    expect(found(frames)).toBe('3:1 4:1')
  })
})

describe('holes', () => {
  test('the other side acknowledges what was not captured: reading goes on at once', () => {
    const at = first.length + second.length
    const frames = [
      syn(),
      ask(0, first),
      ask(at, third),
      reply(0, NOTHING, { ack: (ISN + 1 + at + third.length) >>> 0 }),
    ]
    const { rows, issues, capture } = decoded(frames)
    expect(rows.map(row => [row.frame, row.dnsId])).toEqual([
      [2, 1],
      [3, 3],
    ])
    expect(issues).toEqual(['tcp-hole 1'])
    expect(capture).toMatchObject({ dnsFrames: 2, partFrames: 2 })
  })

  test('at the end of the capture', () => {
    expect(found([syn(), ask(0, first), ask(first.length + second.length, third)])).toBe('2:1 3:3')
  })

  test('inside of a message: it is cut, and the next one stands where its length says', () => {
    const at = first.length + 20
    const frames = [syn(), ask(0, all.subarray(0, at)), ask(at + 5, all.subarray(at + 5))]
    expect(decoded(frames).lines.map(line => line.replace(/.* tcp /, ''))).toEqual([
      'query 1 A one.example',
      'query 2 two cut name-cut',
      'query 3 A three.example',
    ])
  })

  test('that swallows a length: the next bytes that can only be a message', () => {
    const at = first.length + 1
    const frames = [syn(), ask(0, all.subarray(0, at)), ask(at + 10, all.subarray(at + 10))]
    expect(found(frames)).toBe('2:1 3:3')
  })
})

describe('the snap length', () => {
  const cut = (bytes: Buffer, length: number) => ({ bytes: bytes.subarray(0, length), wireLength: bytes.length })

  test('a cut message yields header and question, and the next one follows', () => {
    const answer = prefixed(response('one.example', ['192.0.2.1', '192.0.2.2'], { id: 1 }))
    const after = prefixed(response('two.example', ['192.0.2.1'], { id: 2 }))
    const frames = [synAck(), cut(reply(0, answer), 100), reply(answer.length, after)]
    expect(decoded(frames).lines.map(line => line.replace(/.* tcp /, ''))).toEqual([
      'NOERROR 1 A one.example cut',
      'NOERROR 2 A two.example',
    ])
  })

  test('in the middle of a connection', () => {
    expect(decoded([cut(ask(0, first), 14 + 20 + 20 + 2 + 12)]).lines).toEqual([
      '#1 10.244.0.11:40000 > 10.96.0.10:53 tcp query 1 cut name-cut',
    ])
  })
})

describe('a capture that begins in the middle', () => {
  test('finds the first whole message', () => {
    expect(found([ask(500, first), ask(500 + first.length, second)])).toBe('1:1 2:2')
  })

  test('after the rest of another', () => {
    expect(found([ask(500, Buffer.concat([second.subarray(9), first])), ask(900, third)])).toMatch(/^1:1/)
  })

  test('behind a length that went alone', () => {
    expect(found([ask(0, first.subarray(2)), ask(first.length - 2, second)])).toBe('1:1 2:2')
  })
})

describe('the ends', () => {
  test('since the SYN, for the first query only', () => {
    const { rows } = decoded([
      syn(),
      synAck(),
      ask(0, first),
      reply(0, prefixed(response('one.example', []))),
      ask(first.length, second),
    ])
    expect(rows.map(row => row.sinceSyn)).toEqual([2e6, Number.NaN, Number.NaN])
  })

  test('a query in the SYN (RFC 7413)', () => {
    const fast = ask(-1, first, { flags: 'S', ack: 0 })
    expect(found([fast, synAck(), ask(0, first), ask(first.length, second)])).toBe('1:1 4:2')
  })

  test('a SYN that is sent again is a row of its own, once, and its frames are parts', () => {
    const again = (milliseconds: number) => ({ bytes: syn(), milliseconds })
    const { rows, capture } = decoded([again(0), again(1000), again(3000)])
    expect(rows.map(row => [row.frame, row.kind])).toEqual([[2, TCP_SILENT]])
    expect(capture).toMatchObject({ dnsFrames: 0, partFrames: 3, messages: 0 })
  })

  test('a copy of a SYN is no second one, nor is one that was answered', () => {
    expect(decoded([syn(), { bytes: syn(), milliseconds: 2 }]).rows).toEqual([])
    expect(decoded([syn(), synAck(), { bytes: syn(), milliseconds: 2000 }]).rows).toEqual([])
  })

  test('the reset that answers a SYN says how long after it', () => {
    const refused = reply(-1, NOTHING, { flags: 'RA' })
    expect(decoded([syn(), { bytes: refused, milliseconds: 1 }]).rows[0].sinceSyn).toBe(1e6)
    expect(decoded([syn(), synAck(), { bytes: refused, milliseconds: 2 }]).rows[0].sinceSyn).toBeNaN()
  })

  test('a reset is a row of its own, once', () => {
    const refusal = reply(-1, NOTHING, { flags: 'RA' })
    const { lines, capture } = decoded([syn(), refusal, refusal])
    expect(lines).toEqual(['#2 10.96.0.10:53 > 10.244.0.11:40000 tcp reset'])
    expect(capture).toMatchObject({ dnsFrames: 1, partFrames: 2, messages: 0 })
  })

  test('the same ports again are a new connection', () => {
    const again = (at: number, data: Buffer, options: TcpOptions = {}) =>
      ask(at, data, { sequence: 77_000 + at, ...options })
    const frames = [syn(), ask(0, first), ask(first.length, NOTHING, { flags: 'FA' })]
    expect(found([...frames, again(-1, NOTHING, { flags: 'S' }), again(0, second)])).toBe('2:1 5:2')
  })

  test('the same ports again without a SYN, far away', () => {
    expect(found([syn(), ask(0, first), ask(0, second, { sequence: 900_000_000 })])).toBe('2:1 3:2')
  })
})

describe('what is not DNS', () => {
  test('a length that cannot be loses the place, until a message stands there', () => {
    const { rows, issues } = decoded([syn(), ask(0, Buffer.from([0, 3, 1, 2, 3])), ask(5, second)])
    expect(rows.map(row => row.dnsId)).toEqual([2])
    expect(issues).toEqual(['tcp-length 1'])
  })

  test('other ports are none of ours', () => {
    const web = ethernet(ipv4({}, tcp({ toPort: 443 }, first)))
    expect(decoded([web]).capture).toMatchObject({ otherFrames: 1, messages: 0 })
  })

  test('a header that contradicts itself is an issue', () => {
    const frame = ask(0, first)
    frame[14 + 20 + 12] = 0x10
    expect(decoded([frame]).issues).toEqual(['tcp-header 1'])
  })
})

test('a flood of connections stays bounded, and the issue tells what was given up', { timeout: 60_000 }, () => {
  const frames = Array.from({ length: 200_000 }, (_, i) =>
    ethernet(ipv4({ from: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}` }, tcp({ sequence: 1, flags: 'S' }))),
  )
  const { issues, capture } = decoded(frames.map(bytes => ({ bytes, milliseconds: 0 })))
  expect(issues).toHaveLength(1)
  expect(issues[0]).toMatch(/^tcp-forgotten \d+$/)
  expect(capture.partFrames).toBe(200_000)
})

test('whoever only opens connections takes no room from those who ask', { timeout: 60_000 }, () => {
  const syn = (i: number) =>
    ethernet(ipv4({ from: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}` }, tcp({ sequence: 1, flags: 'S' })))
  const flood = Array.from({ length: 200_000 }, (_, i) => ({ bytes: syn(i), milliseconds: 0 }))
  const asks = { bytes: ethernet(ipv4({ from: '172.16.0.1' }, udp({}, query('example.com')))), milliseconds: 1 }
  const { lines, tables } = decoded([...flood, asks])
  expect(lines).toEqual(['#200001 172.16.0.1:40000 > 10.96.0.10:53 udp query 1 A example.com'])
  expect(tables.addresses.size).toBe(2)
})
