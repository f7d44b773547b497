/** The parsers of pcap and pcapng: what they read, and what they make of files that are cut or lie. */
import { describe, expect, test } from 'vitest'
import { formatOf } from '../src/input/formats.ts'
import type { ParserContext } from '../src/input/parser.ts'
import { PcapParser } from '../src/input/pcap.ts'
import { PcapngParser } from '../src/input/pcapng.ts'
import { INCOMING, OUTGOING, UNKNOWN_DIRECTION } from '../src/model.ts'
import {
  block,
  enhancedPacket,
  fields,
  IXIA,
  interfaceBlock,
  linuxMore,
  MODIFIED,
  NANOS,
  type Order,
  oldPacket,
  option,
  type PcapOptions,
  pcap,
  pcapHeader,
  pcapng,
  pcapRecord,
  section,
  simplePacket,
  suseMore,
} from './files.ts'
import { packets, parsed } from './frames.ts'

const asPcap = (context: ParserContext) => new PcapParser(context)
const asPcapng = (context: ParserContext) => new PcapngParser(context)
const ORDERS: Order[] = ['little', 'big']
const join = (...parts: Buffer[]) => Buffer.concat(parts)
const some = packets(20)
const contents = some.map(packet => packet.bytes.toString('hex'))
const times = (frames: { seconds: number; nanos: number }[]) => frames.map(frame => [frame.seconds, frame.nanos])

describe.each(ORDERS)('pcap, %s endian', order => {
  test('gives every record with its time, lengths and link type', () => {
    const { frames, issues } = parsed(asPcap, pcap(some, { order, linkType: 113 }))
    expect(frames.map(frame => frame.hex)).toEqual(contents)
    expect(frames[2]).toMatchObject({ number: 3, seconds: 1_700_000_000, nanos: 2_001_000, wireLength: 42 })
    expect(frames[2]).toMatchObject({ linkType: 113, interfaceIndex: -1, interfaceName: null })
    expect(issues).toEqual([])
  })

  test('counts nanoseconds where the magic says so', () => {
    const packet = { seconds: 4_294_967_295, nanos: 999_999_999, bytes: Buffer.from('x') }
    const { frames } = parsed(asPcap, pcap([packet], { order, magic: NANOS }))
    expect(times(frames)).toEqual([[4_294_967_295, 999_999_999]])
  })

  test.each<[string, PcapOptions]>([
    ['modified', { magic: MODIFIED, more: linuxMore(order) }],
    ['SuSE 6.3', { magic: MODIFIED, more: suseMore(order) }],
    ['Red Hat 6.1', { more: linuxMore(order) }],
    ['Nokia', { more: fields(order, [4, 0x9fbf_d902]) }],
    ['Ixia', { magic: IXIA }],
  ])('reads the variant of %s, alone and in a row', (name, options) => {
    for (const n of [1, 2, 20]) {
      const file = pcap(some.slice(0, n), { order, ...options })
      for (const size of [1, 7, file.length]) {
        const { frames, issues, capture } = parsed(asPcap, file, size)
        expect(frames.map(frame => frame.hex)).toEqual(contents.slice(0, n))
        expect(capture.format).toBe(`pcap (${name})`)
        expect(issues).toEqual([])
      }
    }
  })

  test('reads what AIX writes: version 2.2, nanoseconds, interface types', () => {
    const file = join(
      pcapHeader({ order, version: [2, 2], linkType: 6 }),
      fields(order, [4, 5], [4, 999_999_999], [4, 60], [4, 1]),
      Buffer.from('x'),
    )
    const { frames, capture } = parsed(asPcap, file)
    expect(frames).toMatchObject([{ seconds: 5, nanos: 999_999_999, linkType: 1, wireLength: 60, hex: '78' }])
    expect(capture.format).toBe('pcap (AIX)')
  })

  test('takes nothing for a variant that is none: copies of one frame, zeros, a second record that is cut or damaged', () => {
    const zeros = { seconds: 1_700_000_000, nanos: 5000, bytes: Buffer.alloc(64) }
    for (const packet of [zeros, { ...zeros, bytes: linuxMore(order) }]) {
      const file = pcap([packet, packet, packet], { order })
      const hex = packet.bytes.toString('hex')
      expect(parsed(asPcap, file).frames.map(frame => frame.hex)).toEqual([hex, hex, hex])
      const one = pcap([packet], { order })
      for (const end of [Buffer.alloc(0), Buffer.alloc(5), Buffer.alloc(40, 0xff)])
        expect(parsed(asPcap, join(one, end)).frames[0]?.hex).toBe(hex)
    }
  })

  test('leaves the length of a frame check sequence out of the link type', () => {
    const { frames } = parsed(asPcap, pcap(some, { order, linkType: 0x5400_0001 }))
    expect(frames[0].linkType).toBe(1)
  })
})

describe('pcap that lies', () => {
  const three = packets(3)
  const lie = (length: number) => join(fields('little', [4, 1_700_000_000], [4, 5], [4, length], [4, length]))

  test.each([4_294_967_295, 300_000, 200_000])('a record of %d bytes is counted, reading goes on behind it', length => {
    const file = join(pcap(three), lie(length), Buffer.alloc(50, 0xaa), ...some.map(packet => pcapRecord(packet)))
    for (const size of [1, 7, 100, file.length]) {
      const { frames, issues } = parsed(asPcap, file, size)
      expect(frames.map(frame => frame.hex)).toEqual([...contents.slice(0, 3), ...contents])
      expect(issues).toEqual(['record-length 1'])
    }
  })

  test('files joined with cat are read as one, whatever their byte orders and link types', () => {
    const file = join(pcap(three), pcap(three, { order: 'big', linkType: 113, magic: NANOS }), pcap([]), pcap(three))
    for (const size of [1, 7, file.length]) {
      const { frames, issues } = parsed(asPcap, file, size)
      expect(frames.map(frame => frame.linkType)).toEqual([1, 1, 1, 113, 113, 113, 1, 1, 1])
      expect(issues).toEqual(['files-joined 3'])
    }
  })

  test('a snap length in the header bounds nothing', () => {
    expect(parsed(asPcap, pcap(some, { snapLength: 10 })).frames).toHaveLength(20)
  })

  test('microseconds beyond a second are carried over', () => {
    const file = join(pcapHeader(), fields('little', [4, 10], [4, 2_500_000], [4, 1], [4, 1]), Buffer.from('x'))
    expect(times(parsed(asPcap, file).frames)).toEqual([[12, 500_000_000]])
  })
})

describe.each(ORDERS)('pcapng, %s endian', order => {
  const packet = Buffer.from('a packet')
  const hex = packet.toString('hex')
  const resolution = (value: number) => option(order, 9, Buffer.from([value]))
  const offset = (value: bigint) => option(order, 14, fields(order, [8, value]))
  const timed = (ticks: bigint, ...options: Buffer[]) =>
    times(
      parsed(
        asPcapng,
        join(section(order), interfaceBlock(order, 1, 0, ...options), enhancedPacket(order, 0, ticks, packet)),
      ).frames,
    )[0]

  test('gives enhanced, simple and old packets', () => {
    const file = join(
      section(order),
      interfaceBlock(order, 1),
      enhancedPacket(order, 0, 1_700_000_000_000_001n, packet, 99),
      simplePacket(order, packet),
      oldPacket(order, 0, 1_700_000_001_000_002n, packet),
    )
    const { frames } = parsed(asPcapng, file)
    expect(frames.map(frame => frame.hex)).toEqual([hex, hex, hex])
    expect(frames[0]).toMatchObject({ number: 1, wireLength: 99, seconds: 1_700_000_000, nanos: 1000 })
    // No time of its own.
    expect(frames[1]).toMatchObject({ number: 2, seconds: 1_700_000_000, nanos: 1000 })
    expect(frames[2]).toMatchObject({ number: 3, seconds: 1_700_000_001, nanos: 2000 })
  })

  test('reads time in every unit, to the nanosecond', () => {
    expect(timed(1_700_000_000_123_456n)).toEqual([1_700_000_000, 123_456_000])
    expect(timed(1_700_000_000_123_456_789n, resolution(9))).toEqual([1_700_000_000, 123_456_789])
    expect(timed(1_700_000_000n, resolution(0))).toEqual([1_700_000_000, 0])
    expect(timed(17_000_000_009n, resolution(1))).toEqual([1_700_000_000, 900_000_000])
    expect(timed((1_700_000_000n << 20n) + 0x80000n, resolution(0x80 | 20))).toEqual([1_700_000_000, 500_000_000])
    expect(timed((1_700_000_000n << 30n) + 3n, resolution(0x80 | 30))).toEqual([1_700_000_000, 2])
    expect(timed(17_000_000_012_345_678_919n, resolution(10))).toEqual([1_700_000_001, 234_567_891])
    expect(timed(5_000_000_000_001n, resolution(12))).toEqual([5, 0])
    expect(timed((3n << 40n) + (1n << 39n), resolution(0x80 | 40))).toEqual([3, 500_000_000])
    expect(timed(0xffff_ffff_ffff_ffffn, resolution(9))).toEqual([18_446_744_073, 709_551_615])
    expect(timed(0xffff_ffff_ffff_ffffn)).toEqual([18_446_744_073_709, 551_615_000])
  })

  test('adds the offset, also to before 1970 and beyond 2106', () => {
    expect(timed(500_000n, offset(-1n))).toEqual([-1, 500_000_000])
    expect(timed(1_000_000n, offset(5_000_000_000n))).toEqual([5_000_000_001, 0])
  })

  test('every interface has its own name, link type and unit', () => {
    const file = join(
      section(order),
      interfaceBlock(order, 1, 65535, option(order, 2, 'eth0'), resolution(9)),
      interfaceBlock(order, 113, 96, option(order, 2, 'any\x1b[31m'), option(order, 11, '\0udp port 53')),
      enhancedPacket(order, 1, 7_000_000n, packet),
      interfaceBlock(order, 276),
      enhancedPacket(order, 0, 8_000_000_000n, packet),
      enhancedPacket(order, 2, 9_000_000n, packet),
    )
    const { frames, capture } = parsed(asPcapng, file)
    expect(frames).toMatchObject([
      { seconds: 7, linkType: 113, interfaceIndex: 1, interfaceName: 'any[31m' },
      { seconds: 8, linkType: 1, interfaceIndex: 0, interfaceName: 'eth0' },
      { seconds: 9, linkType: 276, interfaceIndex: 2, interfaceName: null },
    ])
    expect(capture).toMatchObject({ snapLength: 65535, filters: ['udp port 53'] })
  })

  test('a second section may have the other byte order; its interfaces are others', () => {
    const other: Order = order === 'little' ? 'big' : 'little'
    const file = join(pcapng(packets(2), order), pcapng(packets(3), other, 113))
    const { frames, issues } = parsed(asPcapng, file)
    expect(frames.map(frame => frame.linkType)).toEqual([1, 1, 113, 113, 113])
    expect(frames.map(frame => frame.interfaceIndex)).toEqual([0, 0, 1, 1, 1])
    expect(frames.map(frame => frame.number)).toEqual([1, 2, 3, 4, 5])
    expect(issues).toEqual([])
  })

  test('statistics tell the drops: the last block of each interface counts', () => {
    const statistics = (id: number, drops: bigint, osDrops: bigint) =>
      block(
        order,
        5,
        fields(order, [4, id], [4, 0], [4, 0]),
        option(order, 5, fields(order, [8, drops])),
        option(order, 7, fields(order, [8, osDrops])),
      )
    const two = join(section(order), interfaceBlock(order, 1), interfaceBlock(order, 1))
    expect(parsed(asPcapng, two).capture.dropped).toBeNull()
    const file = join(two, statistics(0, 1n, 1n), statistics(0, 3n, 2n), statistics(1, 10n, 0n))
    expect(parsed(asPcapng, file).capture.dropped).toBe(15)
  })

  test("packets' own options: direction, losses before it, comments", () => {
    const packet = (...options: Buffer[]) =>
      block(order, 6, fields(order, [4, 0], [4, 0], [4, 0], [4, 5], [4, 5]), Buffer.from('hello\0\0\0'), ...options)
    const flags = (value: number) => option(order, 2, fields(order, [4, value]))
    const lost = (count: bigint) => option(order, 4, fields(order, [8, count]))
    const comment = (text: string) => option(order, 1, text)
    const file = join(
      section(order),
      interfaceBlock(order, 1),
      packet(flags(1), comment('the first')),
      packet(flags(0x1e), lost(3n), comment('the second')),
      packet(comment('the first'), lost(4n), fields(order, [4, 0])),
      packet(),
      oldPacket(order, 0, 0n, Buffer.from('x')),
    )
    const { capture, frames, issues } = parsed(asPcapng, file)
    expect(issues).toEqual([])
    expect(frames.map(({ hex }) => hex.slice(0, 10))).toEqual([...Array(4).fill('68656c6c6f'), '78'])
    expect(frames.map(({ direction }) => direction)).toEqual([INCOMING, OUTGOING, ...Array(3).fill(UNKNOWN_DIRECTION)])
    expect(capture.dropped).toBe(7)
    expect(capture.comments).toEqual(['the first', 'the second'])
  })

  test('the old packet block counts the losses before it, where it knows them', () => {
    const drops = [0, 3, 0xffff, 4].map(drops => oldPacket(order, 0, 1000n, Buffer.from('x'), drops))
    const file = join(section(order), interfaceBlock(order, 1), ...drops)
    expect(parsed(asPcapng, file).capture.dropped).toBe(7)
    expect(parsed(asPcapng, join(section(order), interfaceBlock(order, 1), drops[0])).capture.dropped).toBeNull()
  })

  test('names and comments are kept', () => {
    const record = (type: number, address: Buffer, name: string) =>
      option(order, type, join(address, Buffer.from(name)))
    const file = join(
      section(order, option(order, 1, 'seen at node a')),
      block(
        order,
        4,
        record(1, Buffer.from([10, 96, 0, 10]), 'kube-dns\0kube-dns.kube-system\0'),
        record(2, Buffer.from('fd00000000000000000000000000000a', 'hex'), 'six\0'),
        fields(order, [4, 0]),
      ),
    )
    const { capture, frames } = parsed(asPcapng, file)
    expect(capture.names).toEqual({ '10.96.0.10': 'kube-dns', 'fd00::a': 'six' })
    expect(capture.comments).toEqual(['seen at node a'])
    expect(frames).toEqual([])
  })

  test('custom blocks have a frame number, secrets have none: as in Wireshark', () => {
    const file = join(
      section(order),
      interfaceBlock(order, 1),
      block(order, 0xbad, Buffer.alloc(40)),
      block(order, 0xa, Buffer.alloc(60)),
      enhancedPacket(order, 0, 1n, packet),
      block(order, 0x4000_0bad, Buffer.alloc(40)),
    )
    const { capture, frames } = parsed(asPcapng, file, 5)
    expect(frames.map(frame => frame.number)).toEqual([2])
    expect(capture.frames).toBe(3)
  })

  test('a packet of an interface that was not described is counted', () => {
    const { frames, issues } = parsed(asPcapng, join(section(order), enhancedPacket(order, 7, 1n, packet)))
    expect(frames).toMatchObject([{ linkType: -1, hex }])
    expect(issues).toEqual(['interface-unknown 1'])
  })

  test('a captured length beyond its block ends with the block', () => {
    const lying = enhancedPacket(order, 0, 1n, packet)
    fields(order, [4, 4_000_000_000]).copy(lying, 20)
    const { frames, issues } = parsed(asPcapng, join(section(order), interfaceBlock(order, 1), lying))
    expect(frames.map(frame => frame.hex)).toEqual([hex])
    expect(issues).toEqual(['block-length 1'])
  })

  test.each([0, 8, 0xffff_ffff, 64])('a block that claims %d bytes is passed over', length => {
    const lying = enhancedPacket(order, 0, 1n, packet)
    fields(order, [4, length]).copy(lying, 4)
    const good = enhancedPacket(order, 0, 2n, packet)
    const file = join(section(order), interfaceBlock(order, 1), lying, good, good)
    for (const size of [1, 7, file.length]) {
      const { frames, issues } = parsed(asPcapng, file, size)
      expect(frames.map(frame => frame.nanos)).toEqual([2000, 2000])
      expect(issues).toEqual(['block-length 1'])
    }
  })
})

// -- Laws ---------------------------------------------------------------------------------------------------------------------

const CONTAINERS: [string, Buffer][] = [
  ['pcap', pcap(packets(7))],
  ['pcap, big endian, nanoseconds', pcap(packets(7), { order: 'big', magic: NANOS })],
  ['modified pcap', pcap(packets(7), { magic: MODIFIED, more: linuxMore('little') })],
  ['pcap of Nokia', pcap(packets(7), { more: fields('little', [4, 0xbfbf_b601]) })],
  ['pcapng', pcapng(packets(7))],
  [
    'pcapng of two sections',
    join(pcapng(packets(3)), block('little', 0xbad, Buffer.alloc(9)), pcapng(packets(2), 'big')),
  ],
]

describe.each(CONTAINERS)('%s', (_, file) => {
  const { open } = formatOf(file, 'test')

  test.each([1, 2, 7, 64, 4096, 65536])('chunks of %d bytes change nothing', size => {
    expect(parsed(open, file, size)).toEqual(parsed(open, file))
  })

  test('every prefix gives the first frames, and says when it was cut', () => {
    const whole = parsed(open, file).frames
    for (let length = 4; length < file.length; length++) {
      const { frames, issues } = parsed(open, file.subarray(0, length), 50)
      expect(frames).toEqual(whole.slice(0, frames.length))
      expect(issues.length).toBeLessThanOrEqual(1)
      if (issues.length > 0) expect(issues).toEqual(['file-cut 1'])
    }
  })

  test('no byte that is changed makes it throw or hang', () => {
    for (let at = 4; at < file.length; at++) {
      for (const value of [0, 1, 0x7f, 0xff]) {
        const changed = Buffer.from(file)
        changed[at] = value
        const { frames, capture } = parsed(open, changed, 97)
        expect(frames.length).toBeLessThanOrEqual(capture.frames)
        expect(capture.frames).toBeLessThan(20)
      }
    }
  })
})
