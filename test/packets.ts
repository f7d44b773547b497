/**
 * Packets by hand: one function per layer, each given what it wraps, so that a test reads from the outside in:
 *
 *     ethernet(ipv4({ from: '10.0.0.1' }, udp({ toPort: 53 }, query('example.com'))))
 */
import dnsPacket, { type Answer, type Packet, type RecordType } from 'dns-packet'

export const CLIENT = '10.244.0.11'
export const SERVER = '10.96.0.10'
export const CLIENT_6 = 'fd00::11'
export const SERVER_6 = 'fd00::53'
export const PORT = 40_000

const bytes16 = (value: number) => Buffer.from([(value >> 8) & 255, value & 255])
const bytes32 = (value: number) => Buffer.from([value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255])
const zeros = (length: number) => Buffer.alloc(length)

/** "45 00" and the like. */
export const hex = (text: string): Buffer => Buffer.from(text.replace(/\s+/g, ''), 'hex')

// -- DNS --------------------------------------------------------------------------------------------------------------------

export interface MessageOptions extends Omit<Packet, 'type' | 'questions'> {
  id?: number
  type?: RecordType
  edns?: boolean
}

const OPT = { type: 'OPT', name: '.', udpPayloadSize: 1232, flags: 0, options: [] } as unknown as Answer

export function query(name: string, options: MessageOptions = {}): Buffer {
  const { id = 1, type = 'A', edns = false, flags = dnsPacket.RECURSION_DESIRED, ...rest } = options
  const additionals = edns ? [OPT] : []
  return dnsPacket.encode({ type: 'query', id, flags, questions: [{ name, type }], additionals, ...rest })
}

/** A response with the addresses (or whole records) given, "no such name" by `rcode: 3`. */
export function response(
  name: string,
  answers: (string | Answer)[],
  options: MessageOptions & { rcode?: number } = {},
): Buffer {
  const { id = 1, type = 'A', edns = false, flags = 0x180, rcode = 0, ...rest } = options
  const records = answers.map(data => (typeof data === 'string' ? ({ name, type, ttl: 30, data } as Answer) : data))
  return dnsPacket.encode({
    type: 'response',
    id,
    flags: flags | rcode,
    questions: [{ name, type }],
    answers: records,
    additionals: edns ? [OPT] : [],
    ...rest,
  })
}

/** A message as TCP carries it. */
export const prefixed = (message: Buffer): Buffer => Buffer.concat([bytes16(message.length), message])

// -- Transport --------------------------------------------------------------------------------------------------------------

export interface Layer {
  protocol: number
  bytes: Buffer
}

export interface Ports {
  fromPort?: number
  toPort?: number
}

export function udp({ fromPort = PORT, toPort = 53, length }: Ports & { length?: number }, data: Buffer): Layer {
  const header = [bytes16(fromPort), bytes16(toPort), bytes16(length ?? 8 + data.length), zeros(2)]
  return { protocol: 17, bytes: Buffer.concat([...header, data]) }
}

const FLAGS = { F: 1, S: 2, R: 4, P: 8, A: 16 }

/** `flags` as tcpdump writes them: "S", "SA", "A", "R". */
export function tcp(
  { fromPort = PORT, toPort = 53, sequence = 0, ack = 0, flags = 'A' }: Ports & TcpOptions,
  data: Buffer = zeros(0),
): Layer {
  const bits = [...flags].reduce((sum, flag) => sum | FLAGS[flag as keyof typeof FLAGS], 0)
  const header = [bytes16(fromPort), bytes16(toPort), bytes32(sequence), bytes32(ack), Buffer.from([0x50, bits])]
  return { protocol: 6, bytes: Buffer.concat([...header, zeros(6), data]) }
}

export interface TcpOptions {
  sequence?: number
  ack?: number
  flags?: string
}

/** ICMP "port unreachable" about a packet, of which so many bytes are quoted. */
export const unreachable = (packet: Buffer, quoted = packet.length): Layer => ({
  protocol: 1,
  bytes: Buffer.concat([hex('03 03 0000 00000000'), packet.subarray(0, quoted)]),
})

export const unreachable6 = (packet: Buffer): Layer => ({
  protocol: 58,
  bytes: Buffer.concat([hex('01 04 0000 00000000'), packet]),
})

// -- IP -----------------------------------------------------------------------------------------------------------------------

export interface IpOptions {
  from?: string
  to?: string
  id?: number
  ttl?: number
  /** In bytes; a fragment where this or `more` is set. */
  offset?: number
  more?: boolean
  totalLength?: number
}

const address4 = (text: string) => Buffer.from(text.split('.').map(Number))

function address6(text: string): Buffer {
  const [left, right = ''] = text.split('::')
  const groups = (part: string) => part.split(':').filter(Boolean)
  const missing = 8 - groups(left).length - groups(right).length
  const all = [...groups(left), ...Array<string>(missing).fill('0'), ...groups(right)]
  return Buffer.concat(all.map(group => bytes16(Number.parseInt(group, 16))))
}

export function ipv4(options: IpOptions, { protocol, bytes }: Layer): Buffer {
  const { from = CLIENT, to = SERVER, id = 1, ttl = 64, offset = 0, more = false, totalLength } = options
  return Buffer.concat([
    hex('4500'),
    bytes16(totalLength ?? 20 + bytes.length),
    bytes16(id),
    bytes16((more ? 0x2000 : 0) | (offset >> 3)),
    Buffer.from([ttl, protocol]),
    zeros(2),
    address4(from),
    address4(to),
    bytes,
  ])
}

export function ipv6({ from = CLIENT_6, to = SERVER_6, ttl = 64 }: IpOptions, { protocol, bytes }: Layer): Buffer {
  const header = [hex('60000000'), bytes16(bytes.length), Buffer.from([protocol, ttl]), address6(from), address6(to)]
  return Buffer.concat([...header, bytes])
}

/** An extension header of eight bytes before what it wraps: 0 hop-by-hop, 43 routing, 60 destination options. */
export const extension = (type: number, { protocol, bytes }: Layer): Layer => ({
  protocol: type,
  bytes: Buffer.concat([Buffer.from([protocol, 0]), zeros(6), bytes]),
})

/** The pieces of a packet's payload of `size` bytes each (a multiple of 8), in IPv4. */
export function fragments4(options: IpOptions, layer: Layer, size: number): Buffer[] {
  const pieces: Buffer[] = []
  for (let offset = 0; offset < layer.bytes.length; offset += size) {
    const more = offset + size < layer.bytes.length
    const bytes = layer.bytes.subarray(offset, offset + size)
    pieces.push(ipv4({ ...options, offset, more }, { protocol: layer.protocol, bytes }))
  }
  return pieces
}

export function fragments6(options: IpOptions, layer: Layer, size: number): Buffer[] {
  const pieces: Buffer[] = []
  for (let offset = 0; offset < layer.bytes.length; offset += size) {
    const more = offset + size < layer.bytes.length ? 1 : 0
    const header = [Buffer.from([layer.protocol, 0]), bytes16(offset | more), bytes32(options.id ?? 1)]
    const bytes = Buffer.concat([...header, layer.bytes.subarray(offset, offset + size)])
    pieces.push(ipv6(options, { protocol: 44, bytes }))
  }
  return pieces
}

// -- Tunnels --------------------------------------------------------------------------------------------------------------------

export const ipInIp = (packet: Buffer): Layer => ({ protocol: packet[0] >> 4 === 4 ? 4 : 41, bytes: packet })

export const gre = (etherType: number, data: Buffer): Layer => ({
  protocol: 47,
  bytes: Buffer.concat([zeros(2), bytes16(etherType), data]),
})

/** ERSPAN type II: GRE with a sequence number, eight bytes of its own, an Ethernet frame. */
export const erspan = (frame: Buffer): Layer => ({
  protocol: 47,
  bytes: Buffer.concat([hex('1000 88be 00000001'), zeros(8), frame]),
})

export const vxlan = (frame: Buffer, toPort = 8472): Layer =>
  udp({ toPort }, Buffer.concat([hex('08000000 00000100'), frame]))

export const geneve = (frame: Buffer, toPort = 6081): Layer =>
  udp({ toPort }, Buffer.concat([hex('01 00 6558 00000100 00000000'), frame]))

// -- Link layers ------------------------------------------------------------------------------------------------------------------

const typeOf = (packet: Buffer) => (packet[0] >> 4 === 6 ? 0x86dd : 0x0800)

/** Tags: 802.1Q, the outermost first; with more than one the outer ones are 802.1ad. */
export function ethernet(packet: Buffer, { type = typeOf(packet), tags = [] as number[] } = {}): Buffer {
  const tag = (id: number, i: number) => [bytes16(i < tags.length - 1 ? 0x88a8 : 0x8100), bytes16(id)]
  return Buffer.concat([zeros(12), ...tags.flatMap(tag), bytes16(type), packet])
}

/** LINKTYPE_LINUX_SLL2, packet type 0 incoming, 4 outgoing. */
export const cooked2 = (packet: Buffer, { index = 2, packetType = 0 } = {}): Buffer =>
  Buffer.concat([
    bytes16(typeOf(packet)),
    zeros(2),
    bytes32(index),
    hex('0001'),
    Buffer.from([packetType, 6]),
    zeros(8),
    packet,
  ])

export const cooked = (packet: Buffer, packetType = 0): Buffer =>
  Buffer.concat([bytes16(packetType), hex('0001 0006'), zeros(8), bytes16(typeOf(packet)), packet])

/** Labels, the last one marked. */
export const mpls = (labels: number[], packet: Buffer): Buffer =>
  Buffer.concat([
    ...labels.map((label, i) => bytes32((label << 12) | (i === labels.length - 1 ? 0x100 : 0) | 64)),
    packet,
  ])

export const pppoe = (packet: Buffer): Buffer =>
  Buffer.concat([hex('11 00 0001'), bytes16(packet.length + 2), hex(packet[0] >> 4 === 4 ? '0021' : '0057'), packet])

export const nflog = (packet: Buffer): Buffer => {
  const length = Buffer.alloc(2)
  length.writeUInt16LE(4 + packet.length)
  return Buffer.concat([hex('02 00 0000'), hex('0500 0a00 00'), zeros(3), length, hex('0900'), packet])
}
