/**
 * What an input is, told from its first bytes: one row per format. A row either opens a parser or says in one sentence what to do
 * instead. A new input is a new row.
 */
import { UserError } from '../model.ts'
import { nameOf } from './chunks.ts'
import { HubbleDecoder, TEXT_FORMAT } from './hubble.ts'
import { HubbleParser } from './hubble-lines.ts'
import { HubbleText } from './hubble-text.ts'
import type { CaptureParser, ParserContext } from './parser.ts'
import { PcapParser } from './pcap.ts'
import { MAGICS } from './pcap-variants.ts'
import { PcapngParser, SECTION } from './pcapng.ts'
import type { NewDecoder } from './read.ts'

export interface Format {
  name: string
  matches: (head: Buffer) => boolean
  open?: (context: ParserContext) => CaptureParser
  /** Where its records are no packets; else the decoder of wire/ reads them. */
  newDecoder?: NewDecoder
  /** For formats that are not read: completes "FILE ...". */
  instead?: string
}

/** Enough first bytes to tell all of them. */
export const HEAD = 16
/** Text shows what it is in its first lines. */
const LOOKED_AT = 4096
const FIRST_LINES = 20

const big = (head: Buffer) => (head.length < 4 ? 0 : head.readUInt32BE(0))
const little = (head: Buffer) => (head.length < 4 ? 0 : head.readUInt32LE(0))
const either = (head: Buffer, ...magics: number[]) => magics.includes(big(head)) || magics.includes(little(head))
const startsWith = (head: Buffer, ...bytes: number[]) => bytes.every((byte, i) => head[i] === byte)
const text = (head: Buffer) => head.toString('latin1', 0, LOOKED_AT).replace(/^\xef\xbb\xbf/, '')

const convert = 'convert it with "editcap -F pcapng IN OUT" and analyze OUT.'

const FORMATS: Format[] = [
  {
    name: 'pcap',
    matches: head => MAGICS.has(big(head)) || MAGICS.has(little(head)),
    open: context => new PcapParser(context),
  },
  { name: 'pcapng', matches: head => big(head) === SECTION, open: context => new PcapngParser(context) },
  {
    name: 'Hubble flows',
    // In an array where somebody used jq -s, behind a time where a container's log was copied.
    matches: head => /^\s*(\{|\[\s*(\{|$)|\d{4}-\d\d-\d\dT\d\d:)/.test(text(head)),
    open: context => new HubbleParser(context),
    newDecoder: about => new HubbleDecoder(about),
  },
  {
    name: 'JSON',
    matches: head => text(head).trimStart().startsWith('['),
    instead: 'is JSON, not a packet capture: give the capture that it was made from.',
  },
  {
    name: 'UTF-16',
    matches: head => /^(\xff\xfe|\xfe\xff)/.test(text(head)),
    instead:
      'is text in UTF-16, as ">" of older PowerShells writes it: write flows with "| Out-File -Encoding ascii FILE", captures with "-w FILE".',
  },
  { name: 'snoop', matches: head => text(head).startsWith('snoop\0\0\0'), instead: `is a snoop file: ${convert}` },
  {
    name: 'Network Monitor',
    matches: head => /^(GMBU|RTSS)/.test(text(head)),
    instead: `is a Microsoft Network Monitor file: ${convert}`,
  },
  {
    name: 'NetXray',
    matches: head => /^(XCP\0|VL\0\0)/.test(text(head)),
    instead: `is a NetXray or Sniffer file: ${convert}`,
  },
  { name: 'Sniffer', matches: head => text(head).startsWith('TRSNIFF'), instead: `is a Sniffer file: ${convert}` },
  {
    name: 'Observer',
    matches: head => text(head).startsWith('ObserverPktBuff'),
    instead: `is a Network Instruments (Viavi) Observer file: ${convert}`,
  },
  {
    name: 'Peek',
    matches: head => text(head).startsWith('\x7fver'),
    instead: `is an OmniPeek or EtherPeek file: ${convert}`,
  },
  {
    name: 'iptrace',
    matches: head => text(head).startsWith('iptrace '),
    instead: `is an AIX iptrace file: ${convert}`,
  },
  {
    name: 'nettl',
    matches: head => startsWith(head, 0x54, 0x52, 0, 0x64),
    instead: `is an HP-UX nettl file: ${convert}`,
  },
  {
    name: 'LANalyzer',
    matches: head => startsWith(head, 0x01, 0x10, 0x4c, 0) || startsWith(head, 0x07, 0x10, 0x4c, 0),
    instead: `is a Novell LANalyzer file: ${convert}`,
  },
  {
    name: 'Visual Networks',
    matches: head => text(head).startsWith('\x05VNF'),
    instead: `is a Visual Networks file: ${convert}`,
  },
  {
    name: '5View',
    matches: head => startsWith(head, 0xaa, 0xaa, 0xaa, 0xaa),
    instead: `is an InfoVista 5View file: ${convert}`,
  },
  {
    name: 'K12 text',
    matches: head => text(head).startsWith('+---------+-----'),
    instead: `is a K12 text file: ${convert}`,
  },
  {
    name: 'CommView',
    matches: looksLikeCommView,
    instead: `may be a CommView file: ${convert}`,
  },
  {
    name: 'dnstap',
    // Frame Streams: an empty frame announces a control frame of a length, whose type is 2 (start) or 4 (ready).
    matches: head =>
      big(head) === 0 &&
      head.length >= 12 &&
      head.readUInt32BE(4) < 512 &&
      (head.readUInt32BE(8) === 2 || head.readUInt32BE(8) === 4),
    instead: 'is a dnstap log, not a packet capture: record the packets beside the server with "tcpdump -w FILE".',
  },
  {
    name: 'btsnoop',
    matches: head => text(head).startsWith('btsnoop\0'),
    instead: 'is a Bluetooth capture: no DNS in it.',
  },
  {
    name: 'pcap, old variant',
    matches: head => either(head, 0xa1e2cb12, 0xa1b234cd, 0xa12b3c4d),
    instead: `is an unusual variant of pcap: ${convert}`,
  },
  {
    name: 'zip',
    matches: head => text(head).startsWith('PK\x03\x04'),
    instead: 'is a zip archive: unpack it and analyze the captures in it.',
  },
  {
    name: 'bzip2',
    matches: head => /^BZh[1-9]/.test(text(head)),
    instead: 'is compressed with bzip2: unpack it with "bunzip2 -k" and analyze the result.',
  },
  {
    name: 'compress',
    matches: head => startsWith(head, 0x1f, 0x9d),
    instead: 'is compressed with compress: unpack it with "uncompress -c" and analyze the result.',
  },
  {
    name: 'lzma',
    // Properties, a dictionary of a power of two, an unknown or sensible length.
    matches: head => startsWith(head, 0x5d, 0, 0) && head.length >= 13 && (head[12] === 0 || head[12] === 0xff),
    instead: 'may be compressed with the old lzma: unpack it with "xz -dc" and analyze the result.',
  },
  {
    name: 'tar',
    matches: head => head.toString('latin1', 257, 262) === 'ustar',
    instead: 'is a tar archive: unpack it and analyze the captures in it.',
  },
  {
    name: '7z',
    matches: head => text(head).startsWith('7z\xbc\xaf'),
    instead: 'is a 7z archive: unpack it and analyze the captures in it.',
  },
  {
    name: TEXT_FORMAT,
    // "Oct  1 15:32:18.", which no system log writes, or the head of a table or block.
    matches: head =>
      /^([A-Z][a-z]{2} [ \d]?\d \d\d:\d\d:\d\d\.|TIMESTAMP {2}| {2}TIMESTAMP: )/.test(text(head)) ||
      (beginsAsText(head) && isHubbleText(text(head))),
    open: context => new HubbleParser(context),
    newDecoder: about => new HubbleDecoder(about),
  },
  {
    name: 'text',
    matches: head => head.length > 0 && /^[\t\r\n\x20-\x7e\x80-\xff]*$/.test(text(head)),
    instead:
      'is a text file, not a packet capture: record one with "tcpdump -w FILE", not by redirecting what tcpdump prints.',
  },
  {
    name: 'ERF',
    // | time stamp 8 | type 1 | flags 1 | record length 2 |: a record's length is at least its header's.
    matches: head => head.length >= 16 && head[8] > 0 && (head[8] & 0x7f) < 50 && looksLikeErf(head),
    instead: `may be an ERF file: ${convert}`,
  },
  {
    name: 'unknown',
    matches: () => true,
    instead: `is no capture that dnstrail knows (it reads pcap and pcapng): if Wireshark opens it, ${convert}`,
  },
]

/** The first bytes are of some text; no capture's are. */
const beginsAsText = (head: Buffer): boolean => /^[\t\r\n\x20-\x7e\x80-\xff]*$/.test(head.toString('latin1', 0, HEAD))

/**
 * Whether more first bytes could tell what these do not: text may show what it is some lines on. Asked before formatOf, so that the size
 * of what a pipe brings at once decides nothing.
 */
export const wantsMore = (head: Buffer): boolean =>
  head.length < LOOKED_AT && beginsAsText(head) && FORMATS.find(row => row.matches(head))?.open === undefined

/** Whether one of the first lines is of a kind that only Hubble prints: something may have been pasted before it. */
function isHubbleText(text: string): boolean {
  const reader = new HubbleText()
  return text
    .split('\n')
    .slice(0, FIRST_LINES)
    .some(line => {
      const told = reader.read(line)
      return typeof told === 'object' && told !== null
    })
}

/** The row that opens a parser for these first bytes; a UserError with its sentence where there is none. */
export function formatOf(head: Buffer, file: string): Format & { open: (context: ParserContext) => CaptureParser } {
  if (head.length === 0)
    throw new UserError(
      file === '-'
        ? 'Standard input is empty: name captures, or pipe one in.'
        : `${file} is empty: nothing was captured, or the capture was not copied.`,
    )
  const format = FORMATS.find(row => row.matches(head))!
  if (!format.open) throw new UserError(`${nameOf(file)} ${format.instead}`)
  return { ...format, open: format.open }
}

/** The time is little-endian 32.32, the length big-endian: a time of this century and a length that fits tell it well enough. */
function looksLikeErf(head: Buffer): boolean {
  const seconds = head.readUInt32LE(4)
  const recordLength = head.readUInt16BE(10)
  return seconds > 0x3800_0000 && seconds < 0x8000_0000 && recordLength >= 16 && recordLength < 0x4000
}

/** | length 2 | length again 2 | year 2 | month | day | hour | minute | second |, or with lengths of four bytes and no second one. */
function looksLikeCommView(head: Buffer): boolean {
  if (head.length < 16) return false
  const isDate = (at: number) =>
    head.readUInt16LE(at) > 1990 && head.readUInt16LE(at) < 2100 && head[at + 2] <= 12 && head[at + 3] <= 31
  const isTime = (at: number) => head[at] < 24 && head[at + 1] < 60 && head[at + 2] < 60
  const ncf = head.readUInt16LE(0) > 0 && isDate(5) && isTime(9)
  const ncfx = head.readUInt32LE(0) > 0 && head.readUInt32LE(0) < 0x1_0000 && isDate(4) && isTime(8)
  return ncf || ncfx
}
