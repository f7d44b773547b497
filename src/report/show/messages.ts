/** The messages of a lookup as they stood on the wire, decoded in full; the sightings of one message together. */
import { plural } from '../../quantities.ts'
import { escapeText } from '../escape.ts'
import type { HopRecord, MessageRecord } from '../record-types.ts'
import { shorten } from '../shorten.ts'
import { type Page, wrap } from '../text/page.ts'
import { signed } from './axis.ts'
import { millisecondsBetween } from './branches.ts'
import type { Shown } from './choice.ts'
import { decodedLines } from './decoded.ts'
import { frameList } from './frames.ts'

export interface CapturedMessage {
  record: MessageRecord
  /** Without the length before a message over TCP; empty where the input has no bytes (Hubble). */
  bytes: Uint8Array
}

/** The same bytes later than this are the query sent again. */
const SIGHTING_MS = 100

interface Seen {
  hop: HopRecord
  message: CapturedMessage
  sightings: MessageRecord[]
}

/** Which hop a message belongs to: several messages may stand in one frame, of which only some are this lookup's. */
export function hopOf(hops: readonly HopRecord[]): (record: MessageRecord) => HopRecord | null {
  const byFrame = new Map<string, HopRecord[]>()
  for (const hop of hops) {
    for (const { file, number } of hop.frames) {
      const key = `${number} ${file}`
      byFrame.set(key, [...(byFrame.get(key) ?? []), hop])
    }
  }
  return ({ frame, file, dnsId, qtype }) => {
    const here = byFrame.get(`${frame} ${file}`) ?? []
    const fits = here.filter(hop => hop.dnsId === null || dnsId === null || hop.dnsId === dnsId)
    return fits.find(hop => hop.qtype === qtype) ?? fits[0] ?? null
  }
}

export function messages({ lookup, hops }: Shown, captured: readonly CapturedMessage[], page: Page): string[] {
  const severalFiles = new Set(captured.map(({ record }) => record.file)).size > 1
  return merged(hops, captured).flatMap(({ hop, message, sightings }, i) => {
    const { record, bytes } = message
    const offset = signed(millisecondsBetween(lookup.start, record.time))
    const kind = record.response ? 'response' : 'query'
    const size = record.size === null ? '' : `, ${plural(record.size, 'byte')}`
    const where = frameList(
      sightings.map(({ file, frame }) => ({ file, number: frame })),
      severalFiles,
    )
    const title = `${hop.id} ${kind} at ${offset}: ${endText(record.from)} -> ${endText(record.to)} ${record.transport}${size}`
    const body = bytes.length === 0 ? ['the input has no bytes of it'] : decodedLines(bytes)
    const faults = [record.cut ? 'the capture cut it' : '', record.malformed ? 'it contradicts the format' : '']
    return [
      ...(i === 0 ? [] : ['']),
      ...wrap(title, page.width, '   ').map(page.paint.head),
      ...wrap(
        `   seen ${sightings.length === 1 ? 'once' : `${sightings.length} times`}, in frame ${where}`,
        page.width,
        '     ',
      ).map(page.paint.faint),
      ...faults.filter(Boolean).map(fault => page.paint.warn(`   ${fault}`)),
      ...body.flatMap(line => lined(line, page)),
    ]
  })
}

/** Hex keeps its columns; a record's line is broken between words. */
function lined(line: string, page: Page): string[] {
  if (/^[0-9a-f]{4} {2}/.test(line)) return [shorten(escapeText(`   ${line}`), page.width, 'start')]
  const key = /^\w+ {2,}/.exec(line)?.[0] ?? ''
  const [first = '', ...others] = wrap(line.slice(key.length), page.width - 3 - key.length, '  ')
  return [`   ${key}${first}`, ...others.map(text => ' '.repeat(3 + key.length) + text)]
}

function merged(hops: readonly HopRecord[], captured: readonly CapturedMessage[]): Seen[] {
  const owner = hopOf(hops)
  const latest = new Map<string, Seen>()
  const list: Seen[] = []
  for (const message of captured) {
    const { record, bytes } = message
    const hop = owner(record)
    if (hop === null) continue
    const key = `${hop.id} ${record.response} ${Buffer.from(bytes).toString('latin1')}`
    const before = latest.get(key)
    if (before && millisecondsBetween(before.message.record.time, record.time) <= SIGHTING_MS) {
      before.sightings.push(record)
      continue
    }
    const seen = { hop, message, sightings: [record] }
    latest.set(key, seen)
    list.push(seen)
  }
  return list
}

/** IPv6 has colons of its own. */
const endText = ({ address, port }: MessageRecord['from']): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
