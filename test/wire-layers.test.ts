/** Whatever a DNS message is wrapped in, it is the same message. */
import { describe, expect, test } from 'vitest'
import {
  CLIENT,
  cooked,
  cooked2,
  erspan,
  ethernet,
  extension,
  geneve,
  gre,
  hex,
  ipInIp,
  ipv4,
  ipv6,
  mpls,
  nflog,
  pppoe,
  query,
  response,
  SERVER,
  udp,
  vxlan,
} from './packets.ts'
import { countedOnce, decoded, ETHERNET, lines, RAW, SLL, SLL2 } from './wire-rows.ts'

const question = udp({}, query('example.com', { id: 7 }))
const packet = ipv4({}, question)
const packet6 = ipv6({}, question)
const OUTER = { from: '172.18.0.2', to: '172.18.0.3' }

const LINE = '#1 10.244.0.11:40000 > 10.96.0.10:53 udp query 7 A example.com'
const LINE_6 = '#1 fd00::11:40000 > fd00::53:53 udp query 7 A example.com'

describe('link layers', () => {
  test.each<[string, number, Buffer]>([
    ['Ethernet', ETHERNET, ethernet(packet)],
    ['Ethernet with padding', ETHERNET, Buffer.concat([ethernet(packet), Buffer.alloc(18)])],
    ['a VLAN tag', ETHERNET, ethernet(packet, { tags: [11] })],
    ['QinQ', ETHERNET, ethernet(packet, { tags: [100, 11] })],
    ['802.2 with SNAP', ETHERNET, ethernet(Buffer.concat([hex('aaaa03 000000 0800'), packet]), { type: 100 })],
    ['MPLS', ETHERNET, ethernet(mpls([16], packet), { type: 0x8847 })],
    ['MPLS, three labels', ETHERNET, ethernet(mpls([16, 17, 18], packet), { type: 0x8847 })],
    [
      'an Ethernet pseudowire',
      ETHERNET,
      ethernet(mpls([16], Buffer.concat([hex('00000000'), ethernet(packet)])), { type: 0x8847 }),
    ],
    [
      'a provider backbone bridge',
      ETHERNET,
      ethernet(Buffer.concat([hex('00000005'), ethernet(packet)]), { type: 0x88e7 }),
    ],
    ['HSR', ETHERNET, ethernet(Buffer.concat([hex('0100 0001 0800'), packet]), { type: 0x892f })],
    ['PPPoE', ETHERNET, ethernet(pppoe(packet), { type: 0x8864 })],
    ['Linux cooked', SLL, cooked(packet)],
    ['Linux cooked 2', SLL2, cooked2(packet)],
    ['raw IP', RAW, packet],
    ['raw IP by its other numbers', 12, packet],
    ['BSD loopback, little-endian', 0, Buffer.concat([hex('02000000'), packet])],
    ['BSD loopback, big-endian', 108, Buffer.concat([hex('00000002'), packet])],
    ['PPP', 9, Buffer.concat([hex('0021'), packet])],
    ['PPP with address and control', 50, Buffer.concat([hex('ff03 0021'), packet])],
    ['NFLOG', 239, nflog(packet)],
    ['PKTAP', 258, Buffer.concat([hex('0c000000 01000000 01000000'), ethernet(packet)])],
  ])('%s', (_, link, frame) => {
    expect(lines([frame], link)).toEqual([LINE])
  })

  test('a link type that nobody knows is an issue', () => {
    const { capture, issues } = decoded([packet], 999)
    expect(issues).toEqual(['link-type 1'])
    expect(capture.issueFrames).toBe(1)
  })

  test('the cooked headers tell the direction, version 2 also the interface', () => {
    const { rows, tables } = decoded(
      [cooked2(packet, { index: 4 }), cooked2(packet, { index: 9, packetType: 4 })],
      SLL2,
    )
    expect(rows.map(row => row.direction)).toEqual([1, 2])
    expect(rows.map(row => tables.vantages.list[row.vantage].index)).toEqual([4, 9])
  })

  test('interfaces of a pcapng are vantages', () => {
    const { rows } = decoded([
      { bytes: ethernet(packet), index: 0 },
      { bytes: ethernet(packet), index: 1 },
      { bytes: ethernet(packet), index: 0 },
    ])
    expect(rows.map(row => row.vantage)).toEqual([0, 1, 0])
  })
})

describe('IP', () => {
  test('size, TTL and identification are those of the IP header', () => {
    const { rows } = decoded([ethernet(ipv4({ id: 77, ttl: 63 }, question))])
    expect(rows[0]).toMatchObject({ size: packet.length, ttl: 63, ipId: 77 })
  })

  test('a total length of zero, as segmentation offload leaves it', () => {
    expect(lines([ethernet(ipv4({ totalLength: 0 }, question))])).toEqual([LINE])
  })

  test('a total length beyond the frame is an issue, and the message is read', () => {
    const { lines, issues } = decoded([ethernet(ipv4({ totalLength: 9000 }, question))])
    expect(lines).toEqual([LINE])
    expect(issues).toEqual(['ip-length 1'])
  })

  test('IPv6 with extension headers', () => {
    const wrapped = ipv6({}, extension(0, extension(43, extension(60, question))))
    expect(lines([ethernet(packet6)])).toEqual([LINE_6])
    expect(lines([ethernet(wrapped)])).toEqual([LINE_6])
  })
})

describe('tunnels: the innermost packet counts', () => {
  test.each<[string, Buffer, string]>([
    ['VXLAN', ipv4(OUTER, vxlan(ethernet(packet))), LINE],
    ['VXLAN on its assigned port', ipv4(OUTER, vxlan(ethernet(packet), 4789)), LINE],
    ['VXLAN over IPv6', ipv6({}, vxlan(ethernet(packet))), LINE],
    ['Geneve with options', ipv4(OUTER, geneve(ethernet(packet))), LINE],
    ['VXLAN on a port of its own', ipv4(OUTER, vxlan(ethernet(packet), 8473)), LINE],
    ['Geneve on a port of its own', ipv4(OUTER, geneve(ethernet(packet6), 6082)), LINE_6],
    ['MPLS in UDP', ipv4(OUTER, udp({ toPort: 6635 }, mpls([16], packet))), LINE],
    ['GRE in UDP', ipv4(OUTER, udp({ toPort: 4754 }, Buffer.concat([hex('0000 0800'), packet]))), LINE],
    ['GTP-U', ipv4(OUTER, udp({ toPort: 2152 }, Buffer.concat([hex('30ff 0000 00000001'), packet]))), LINE],
    [
      'GTP-U with an extension',
      ipv4(OUTER, udp({ toPort: 2152 }, Buffer.concat([hex('34ff 0000 00000001 000000 85 01 0009 00'), packet]))),
      LINE,
    ],
    ['L2TP', ipv4(OUTER, udp({ toPort: 1701 }, Buffer.concat([hex('0002 0001 0001 ff03 0021'), packet]))), LINE],
    [
      'L2TP with everything that it can have',
      ipv4(
        OUTER,
        udp({ toPort: 1701 }, Buffer.concat([hex('4a02 0000 0001 0001 0000 0000 0002 eeee ff03 0021'), packet])),
      ),
      LINE,
    ],
    ['Ethernet in IP', ipv4(OUTER, { protocol: 97, bytes: Buffer.concat([hex('3000'), ethernet(packet)]) }), LINE],
    [
      'an authentication header',
      ipv4(OUTER, { protocol: 51, bytes: Buffer.concat([hex('04 04'), Buffer.alloc(22), packet]) }),
      LINE,
    ],
    ['IPIP', ipv4(OUTER, ipInIp(packet)), LINE],
    ['6in4', ipv4(OUTER, ipInIp(packet6)), LINE_6],
    ['4in6', ipv6({}, ipInIp(packet)), LINE],
    ['GRE', ipv4(OUTER, gre(0x0800, packet)), LINE],
    ['Ethernet in GRE', ipv4(OUTER, gre(0x6558, ethernet(packet))), LINE],
    ['MPLS in GRE', ipv4(OUTER, gre(0x8847, mpls([16], packet))), LINE],
    ['ERSPAN', ipv4(OUTER, erspan(ethernet(packet))), LINE],
    ['VXLAN in IPIP in GRE', ipv4(OUTER, gre(0x0800, ipv4(OUTER, ipInIp(ipv4(OUTER, vxlan(ethernet(packet))))))), LINE],
  ])('%s', (_, outer, line) => {
    expect(lines([ethernet(outer)])).toEqual([line])
  })

  test('without end are given up', () => {
    let nested = packet
    for (let i = 0; i < 40; i++) nested = ipv4(OUTER, ipInIp(nested))
    expect(decoded([ethernet(nested)]).issues).toEqual(['too-deep 1'])
  })
})

describe('ports', () => {
  const toward = (toPort: number, id = 7, to = '10.128.0.5') =>
    ethernet(ipv4({ to }, udp({ toPort }, query('example.com', { id }))))
  const from = (fromPort: number, id = 7) =>
    ethernet(
      ipv4(
        { from: '10.128.0.5', to: CLIENT },
        udp({ fromPort, toPort: 40_000 }, response('example.com', ['192.0.2.1'], { id })),
      ),
    )

  test('port 53 is DNS, whatever is in it', () => {
    const noise = Buffer.alloc(20, 0x99)
    expect(lines([ethernet(ipv4({}, udp({}, noise)))])).toHaveLength(1)
  })

  test('less than a header is an issue', () => {
    const { capture, issues } = decoded([ethernet(ipv4({}, udp({}, Buffer.alloc(11))))])
    expect(issues).toEqual(['dns-short 1'])
    expect(capture.issueFrames).toBe(1)
  })

  test('5353 in unicast is DNS (OpenShift)', () => {
    expect(lines([toward(5353), from(5353)])).toEqual([
      '#1 10.244.0.11:40000 > 10.128.0.5:5353 udp query 7 A example.com',
      '#2 10.128.0.5:5353 > 10.244.0.11:40000 udp NOERROR 7 A example.com',
    ])
  })

  test('another port is DNS once a translated query was seen on its way there', () => {
    const both = lines([toward(53, 7, SERVER), toward(1053), from(1053), toward(1053, 8)])
    expect(both).toHaveLength(4)
  })

  test('and else it is not', () => {
    const { lines, capture, issues } = decoded([toward(1053), from(1053)])
    expect(lines).toEqual([])
    expect(capture.otherFrames).toBe(2)
    expect(issues).toEqual(['dns-elsewhere 2'])
  })

  test('multicast DNS and LLMNR are counted apart', () => {
    const multicast = ipv4({ to: '224.0.0.251' }, udp({ fromPort: 5353, toPort: 5353 }, query('printer.local')))
    const llmnr = ipv4({ to: '224.0.0.252' }, udp({ toPort: 5355 }, query('printer')))
    const { capture, lines } = decoded([ethernet(multicast), ethernet(llmnr)])
    expect(lines).toEqual([])
    expect(capture).toMatchObject({ multicastDns: 2, otherFrames: 2, messages: 0 })
    expect(countedOnce(capture)).toBe(true)
  })

  test.each([
    ['zero', 0],
    ['too long', 5000],
  ])('a UDP length that is %s is bounded by the packet', (_, length) => {
    expect(lines([ethernet(ipv4({}, udp({ length }, query('example.com', { id: 7 }))))])).toEqual([LINE])
  })
})

describe('what the user says of ports', () => {
  const wrapped = ethernet(ipv4(OUTER, udp({ toPort: 9999 }, Buffer.concat([hex('0000 0800'), packet]))))

  test('a tunnel on another port than the assigned one', () => {
    expect(decoded([wrapped]).lines).toEqual([])
    expect(decoded([wrapped], ETHERNET, { dns: [], tunnels: [{ name: 'gre', port: 9999 }] }).lines).toEqual([LINE])
  })

  test('a DNS server on another port than 53', () => {
    const frames = [
      ethernet(ipv4({}, udp({ toPort: 1053 }, query('example.com', { id: 7 })))),
      ethernet(
        ipv4(
          { from: SERVER, to: CLIENT },
          udp({ fromPort: 1053, toPort: 40_000 }, response('example.com', [], { id: 7 })),
        ),
      ),
    ]
    expect(decoded(frames)).toMatchObject({ lines: [], issues: ['dns-elsewhere 2'] })
    expect(decoded(frames, ETHERNET, { dns: [1053], tunnels: [] }).lines).toHaveLength(2)
  })
})

test('Ethernet in Ethernet in Ethernet ends', () => {
  const frame = Buffer.alloc(14 * 18_000)
  for (let at = 12; at < frame.length; at += 14) frame.writeUInt16BE(0x6558, at)
  expect(decoded([frame]).issues).toEqual(['too-deep 1'])
})
