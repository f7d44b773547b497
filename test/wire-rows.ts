/** Frames into the decoder, rows out as lines that a person can read. */

import { rcodeName, typeName } from '../src/codes.ts'
import { newCapture } from '../src/input/read.ts'
import {
  type Capture,
  CUT,
  DNS_MESSAGE,
  MALFORMED,
  type Messages,
  NAME_CUT,
  NONE,
  TCP,
  UNKNOWN_DIRECTION,
  UNREACHABLE,
} from '../src/model.ts'
import { decodeFrame, endDecoder, newDecoder } from '../src/wire/decode.ts'
import type { Frame } from '../src/wire/frame.ts'
import { Issues } from '../src/wire/issues.ts'
import type { PortHints } from '../src/wire/ports.ts'
import { newTables, type Tables } from '../src/wire/tables.ts'

/** A frame: its bytes, and what differs from "captured whole, one millisecond after the one before, on Ethernet". */
export type Given =
  | Buffer
  | { bytes: Buffer; link?: number; wireLength?: number; milliseconds?: number; index?: number }

export interface Decoded {
  /** "#3 10.0.0.1:40000 > 10.0.0.2:53 udp query 7 A example.com" */
  lines: string[]
  /** One object per row, every column. */
  rows: Record<string, number>[]
  capture: Capture
  /** "tcp-hole 1", by the order of their first frames. */
  issues: string[]
  tables: Tables
}

export const ETHERNET = 1
export const SLL = 113
export const SLL2 = 276
export const RAW = 101

export function decoded(frames: Given[], link = ETHERNET, ports?: PortHints, limit?: number): Decoded {
  const tables = newTables(limit)
  const issues = new Issues()
  const capture = newCapture('test')
  const decoder = newDecoder({ tables, issues, capture, file: 0, keepBytes: true, ports })
  frames.forEach((given, i) => {
    capture.frames++
    decodeFrame(decoder, frameOf(given, i, link))
  })
  endDecoder(decoder)
  const { messages } = decoder
  const rows: Record<string, number>[] = []
  const lines: string[] = []
  for (let row = 0; row < messages.length; row++) {
    rows.push(rowOf(messages, row))
    lines.push(lineOf(messages, row, tables))
  }
  return { lines, rows, capture, issues: issues.list.map(({ code, count }) => `${code} ${count}`), tables }
}

/** The lines alone. */
export const lines = (frames: Given[], link = ETHERNET): string[] => decoded(frames, link).lines

/** The law: every frame is exactly one of four. */
export const countedOnce = ({ frames, dnsFrames, partFrames, otherFrames, issueFrames }: Capture): boolean =>
  frames === dnsFrames + partFrames + otherFrames + issueFrames &&
  Math.min(dnsFrames, partFrames, otherFrames, issueFrames) >= 0

function frameOf(given: Given, i: number, link: number): Frame {
  const { bytes, milliseconds = i, ...rest } = Buffer.isBuffer(given) ? { bytes: given } : given
  return {
    number: i + 1,
    bytes,
    start: 0,
    end: bytes.length,
    wireLength: rest.wireLength ?? bytes.length,
    seconds: 1_700_000_000 + Math.floor(milliseconds / 1000),
    nanos: (milliseconds % 1000) * 1e6,
    linkType: rest.link ?? link,
    interfaceIndex: rest.index ?? NONE,
    interfaceName: null,
    direction: UNKNOWN_DIRECTION,
  }
}

function rowOf(messages: Messages, row: number): Record<string, number> {
  const columns = Object.entries(messages).filter(([name]) => name !== 'length' && name !== 'bytes')
  return Object.fromEntries(columns.map(([name, column]) => [name, (column as Uint8Array)[row]]))
}

function lineOf(m: Messages, row: number, { addresses, names }: Tables): string {
  const end = (address: number, port: number) => `${addresses.text(address)}:${port}`
  const words = [`#${m.frame[row]}`, end(m.from[row], m.fromPort[row]), '>', end(m.to[row], m.toPort[row])]
  words.push(m.transport[row] === TCP ? 'tcp' : 'udp')
  if (m.kind[row] === DNS_MESSAGE) words.push(m.rcode[row] === NONE ? 'query' : rcodeName(m.rcode[row]))
  else words.push(m.kind[row] === UNREACHABLE ? 'unreachable' : 'reset')
  if (m.dnsId[row] !== NONE) words.push(String(m.dnsId[row]))
  if (m.qtype[row] !== NONE) words.push(typeName(m.qtype[row]))
  if (m.qname[row] !== NONE) words.push(names.text(m.qname[row]))
  if (m.state[row] & CUT) words.push('cut')
  if (m.state[row] & NAME_CUT) words.push('name-cut')
  if (m.state[row] & MALFORMED) words.push('malformed')
  return words.join(' ')
}
