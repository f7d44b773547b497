/**
 * A message decoded in full, as dig would print it. The decoding is dns-packet's: it knows every record type, and a second opinion
 * beside our own fast parser is worth having. What it cannot read is shown in hex.
 */
import { type DecodedPacket, decode } from 'dns-packet'

/** Bytes of a message that is shown in hex, at most. */
const MOST_HEX = 512
const BYTES_PER_LINE = 16

/** Lines of plain text that may hold anything that was on the wire: escape them. */
export function decodedLines(bytes: Uint8Array): string[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let packet: DecodedPacket
  try {
    packet = decode(buffer)
  } catch (error) {
    // A dependency's throw at hostile bytes, nothing of ours.
    return [`cannot be decoded: ${(error as Error).message}`, ...hexLines(buffer)]
  }
  const left = buffer.length - (decode as unknown as { bytes: number }).bytes
  return [
    headerLine(packet),
    ...(packet.questions ?? []).map(({ name, type, class: c }) => `question    ${name} ${c} ${type}`),
    ...(packet.answers ?? []).map(record => `answer      ${recordText(record)}`),
    ...(packet.authorities ?? []).map(record => `authority   ${recordText(record)}`),
    ...(packet.additionals ?? []).map(record => `additional  ${recordText(record)}`),
    ...(left > 0 ? [`and behind the message ${left} more bytes`] : []),
  ]
}

const FLAGS = ['aa', 'tc', 'rd', 'ra', 'z', 'ad', 'cd'] as const

function headerLine(packet: DecodedPacket): string {
  const header = packet as unknown as Record<string, unknown>
  const flags = FLAGS.filter(flag => header[`flag_${flag}`] === true)
  const rcode = packet.type === 'response' ? ` ${header.rcode}` : ''
  return `id ${packet.id}, ${header.opcode}${rcode}, flags ${flags.length === 0 ? 'none' : flags.join(' ')}`
}

/** What dns-packet makes of a record: its types promise more than hostile bytes keep. */
interface AnyRecord {
  name: string
  type: string
  ttl?: number
  class?: string
  data?: unknown
  udpPayloadSize?: number
  extendedRcode?: number
  flag_do?: boolean
  options?: { code: number; type?: string | undefined; data?: unknown }[]
}

function recordText(record: unknown): string {
  const { name, type, ttl, class: c, data, ...opt } = record as AnyRecord
  if (type !== 'OPT') return `${name} ${ttl} ${c} ${type} ${dataText(data)}`.trimEnd()
  const parts = [
    `udp ${opt.udpPayloadSize}`,
    opt.flag_do ? 'do' : '',
    opt.extendedRcode ? `extended rcode ${opt.extendedRcode}` : '',
    ...(opt.options ?? []).map(option =>
      `${option.type ?? `option ${option.code}`} ${dataText(option.data)}`.trimEnd(),
    ),
  ]
  return `OPT ${parts.filter(Boolean).join(', ')}`
}

/** Names and addresses as they are, bytes in hex, strings in quotes, the fields of a record one behind the other. */
function dataText(data: unknown): string {
  if (data === undefined || data === null) return ''
  if (data instanceof Uint8Array) return Buffer.from(data).toString('hex')
  if (Array.isArray(data))
    return data
      .map(part => (part instanceof Uint8Array ? JSON.stringify(Buffer.from(part).toString('latin1')) : dataText(part)))
      .join(' ')
  if (typeof data !== 'object') return String(data)
  return Object.entries(data)
    .map(([key, value]) => `${key} ${dataText(value)}`)
    .join(', ')
}

/** Offset, bytes, and the same as ASCII. */
function hexLines(buffer: Buffer): string[] {
  const lines: string[] = []
  for (let at = 0; at < Math.min(buffer.length, MOST_HEX); at += BYTES_PER_LINE) {
    const part = buffer.subarray(at, Math.min(at + BYTES_PER_LINE, MOST_HEX))
    const hex = part.toString('hex').replace(/../g, '$& ').trimEnd()
    const ascii = part.toString('latin1').replace(/[^\x20-\x7e]/g, '.')
    lines.push(`${at.toString(16).padStart(4, '0')}  ${hex.padEnd(3 * BYTES_PER_LINE - 1)}  ${ascii}`)
  }
  if (buffer.length > MOST_HEX) lines.push(`and ${buffer.length - MOST_HEX} more bytes`)
  return lines
}
