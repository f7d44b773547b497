/** Writes capture files for tests, byte by byte, in both byte orders, the way the formats' own pictures show them. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type Order = 'little' | 'big'

export interface Packet {
  seconds: number
  nanos: number
  bytes: Buffer
  /** Default: the bytes' length. */
  wireLength?: number
}

/** Fields of 1, 2, 4 or 8 bytes one behind the other. */
export function fields(order: Order, ...values: [size: 1 | 2 | 4 | 8, value: number | bigint][]): Buffer {
  const parts = values.map(([size, value]) => {
    const field = Buffer.alloc(size)
    let rest = BigInt.asUintN(8 * size, BigInt(value))
    for (let i = 0; i < size; i++, rest >>= 8n) field[order === 'little' ? i : size - 1 - i] = Number(rest & 255n)
    return field
  })
  return Buffer.concat(parts)
}

// -- pcap ---------------------------------------------------------------------------------------------------------------------

export interface PcapOptions {
  order?: Order
  magic?: number
  version?: [major: number, minor: number]
  linkType?: number
  snapLength?: number
  /** What variants have between a record's header and its bytes. */
  more?: Buffer
}

const MICROS = 0xa1b2c3d4
export const NANOS = 0xa1b23c4d
export const MODIFIED = 0xa1b2cd34
export const IXIA = 0x1c0001ac

export function pcapHeader(options: PcapOptions = {}) {
  const { order = 'little', magic = MICROS, version = [2, 4], linkType = 1, snapLength = 262144 } = options
  const [major, minor] = version
  const header = fields(order, [4, magic], [2, major], [2, minor], [4, 0], [4, 0], [4, snapLength], [4, linkType])
  return magic === IXIA ? Buffer.concat([header, fields(order, [4, 12_345])]) : header
}

export function pcapRecord(packet: Packet, options: PcapOptions = {}): Buffer {
  const { order = 'little', magic = MICROS, more = Buffer.alloc(0) } = options
  const { seconds, nanos, bytes, wireLength = bytes.length } = packet
  const fraction = magic === NANOS || magic === IXIA ? nanos : Math.floor(nanos / 1000)
  return Buffer.concat([fields(order, [4, seconds], [4, fraction], [4, bytes.length], [4, wireLength]), more, bytes])
}

/** Interface 2, IPv4, to us: what the Linux variants have behind each record's header, and what SuSE 6.3 has. */
export const linuxMore = (order: Order) => fields(order, [4, 2], [2, 0x0800], [1, 0], [1, 0])
export const suseMore = (order: Order) => Buffer.concat([linuxMore(order), Buffer.from([1, 0, 0, 0])])

export const pcap = (packets: Packet[], options: PcapOptions = {}): Buffer =>
  Buffer.concat([pcapHeader(options), ...packets.map(packet => pcapRecord(packet, options))])

// -- pcapng -------------------------------------------------------------------------------------------------------------------

const padded = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)])

export function block(order: Order, type: number, ...body: Buffer[]): Buffer {
  const content = padded(Buffer.concat(body))
  const length = content.length + 12
  return Buffer.concat([fields(order, [4, type], [4, length]), content, fields(order, [4, length])])
}

export function option(order: Order, code: number, value: Buffer | string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([fields(order, [2, code], [2, bytes.length]), padded(bytes)])
}

export const section = (order: Order, ...options: Buffer[]) =>
  block(order, 0x0a0d0d0a, fields(order, [4, 0x1a2b3c4d], [2, 1], [2, 0], [8, -1n]), ...options)

export const interfaceBlock = (order: Order, linkType: number, snapLength = 0, ...options: Buffer[]) =>
  block(order, 1, fields(order, [2, linkType], [2, 0], [4, snapLength]), ...options)

/** `ticks` in the interface's own unit. */
export function enhancedPacket(order: Order, id: number, ticks: bigint, bytes: Buffer, wireLength = bytes.length) {
  const low = ticks & 0xffff_ffffn
  const header = fields(order, [4, id], [4, ticks >> 32n], [4, low], [4, bytes.length], [4, wireLength])
  return block(order, 6, header, bytes)
}

export function oldPacket(order: Order, id: number, ticks: bigint, bytes: Buffer, drops = 0) {
  const low = ticks & 0xffff_ffffn
  const header = fields(order, [2, id], [2, drops], [4, ticks >> 32n], [4, low], [4, bytes.length], [4, bytes.length])
  return block(order, 2, header, bytes)
}

/** Addresses of IPv4 and their names. */
export function names(order: Order, all: Record<string, string>): Buffer {
  const records = Object.entries(all).map(([address, name]) => {
    const value = Buffer.concat([Buffer.from(address.split('.').map(Number)), Buffer.from(`${name}\0`)])
    return option(order, 1, value)
  })
  return block(order, 4, ...records, fields(order, [2, 0], [2, 0]))
}

export const simplePacket = (order: Order, bytes: Buffer, wireLength = bytes.length) =>
  block(order, 3, fields(order, [4, wireLength]), bytes)

/** One section, one interface that counts nanoseconds. */
export const pcapng = (packets: Packet[], order: Order = 'little', linkType = 1): Buffer =>
  Buffer.concat([
    section(order),
    interfaceBlock(order, linkType, 262144, option(order, 9, Buffer.from([9]))),
    ...packets.map(({ seconds, nanos, bytes, wireLength }) =>
      enhancedPacket(order, 0, BigInt(seconds) * 1_000_000_000n + BigInt(nanos), bytes, wireLength),
    ),
  ])

// -- On disk ------------------------------------------------------------------------------------------------------------------

const folder = mkdtempSync(join(tmpdir(), 'dnstrail-test-'))

export function written(name: string, bytes: Buffer): string {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  return path
}
