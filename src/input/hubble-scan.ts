/**
 * Reads a DNS record where it lies, in the one form in which Hubble itself writes it: JSON.parse of a whole flow, with its labels and
 * lists that nobody asks for, costs more than all the rest. Only where the few fields stand is looked for; of anything unusual (a blank, a
 * letter that is not ASCII, an escape in such a field, a field twice) nothing is said, and JSON.parse has the word. So both give the same
 * of every line.
 */

/** Where a text stands, without its quotation marks, or an object, with its braces; `end` 0 where it is absent. */
export interface Range {
  start: number
  end: number
}

/** One end of flows: its bytes, and the fields by which one tells whether it is known already. */
export interface ScannedEnd {
  raw: Buffer
  pod: string | null
  identity: number
  hasId: boolean
  /** For who learns from ends: when it did so last. */
  changes: number
  node: string | null
  local: boolean
}

const QUOTE = 0x22
const COMMA = 0x2c
const MINUS = 0x2d
const ZERO = 0x30
const NINE = 0x39
const COLON = 0x3a
const LETTER_U = 0x75
const OPEN_BRACKET = 0x5b
const BACKSLASH = 0x5c
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const RETURN = 0x0d

/** Hubble's flows are nested half as deep. */
const DEEPEST = 12
/** Longer numbers are left to those who know what becomes of them. */
const MOST_DIGITS = 9

const key = (name: string): Uint8Array => Uint8Array.from(name, letter => letter.charCodeAt(0))

const TIME = key('time')
const VERDICT = key('verdict')
const IP = key('IP')
const L4 = key('l4')
const L7 = key('l7')
const UDP_KEY = key('UDP')
const TCP_KEY = key('TCP')
const SOURCE = key('source')
const DESTINATION = key('destination')
const SOURCE_PORT = key('source_port')
const DESTINATION_PORT = key('destination_port')
const NODE_NAME = key('node_name')
const ID = key('ID')
const IDENTITY = key('identity')
const POD_NAME = key('pod_name')
const TYPE = key('type')
const DNS = key('dns')
/** With these a flow is no usual record. */
const UNUSUAL = ['extensions', 'aggregate', 'source_service', 'destination_service'].map(key)
const BEGINNING = key('{"flow":{')

/** Ends that are kept to be known again; more are read anew. */
const MOST_ENDS = 20_000

const newRange = (): Range => ({ start: 0, end: 0 })
const newEnd = (raw: Buffer): ScannedEnd => ({
  raw,
  pod: null,
  identity: 0,
  hasId: false,
  changes: -1,
  node: null,
  local: false,
})
const NO_END = newEnd(Buffer.from('{}'))

/** The fields of the record that `read` found; valid until its next call. */
export class FlowScan {
  readonly time = newRange()
  readonly verdict = newRange()
  sourceAddress = ''
  destinationAddress = ''
  source = NO_END
  destination = NO_END
  readonly node = newRange()
  readonly type = newRange()
  readonly dns = newRange()
  isTcp = false
  sourcePort = 0
  destinationPort = 0
  private readonly address = newRange()
  private readonly pod = newRange()
  /** By address: most flows are between those of the flows before. */
  private readonly ends = new Map<string, ScannedEnd>()
  private bytes: Buffer = Buffer.alloc(0)
  private end = 0
  /** The number that `number` read. */
  private value = 0

  /** False: the line is something else, or has something in it that is left to JSON.parse. */
  read(bytes: Buffer, start: number, end: number): boolean {
    this.bytes = bytes
    this.end = bytes[end - 1] === RETURN ? end - 1 : end
    this.clear()
    if (!isAt(bytes, start, BEGINNING)) return false
    let at = this.flow(start + BEGINNING.length)
    // What stands beside the flow says the same once more.
    while (at > 0 && at < this.end && bytes[at] === COMMA) at = this.member(at + 1)
    if (at !== this.end - 1 || bytes[at] !== CLOSE_BRACE) return false
    return this.isWhole()
  }

  private clear(): void {
    this.time.end = this.verdict.end = this.node.end = this.type.end = this.dns.end = 0
    this.sourceAddress = this.destinationAddress = ''
    this.source = this.destination = NO_END
    this.sourcePort = this.destinationPort = -1
  }

  private isWhole(): boolean {
    return (
      this.time.end > 0 &&
      this.sourceAddress !== '' &&
      this.destinationAddress !== '' &&
      this.source !== NO_END &&
      this.destination !== NO_END &&
      this.sourcePort >= 0 &&
      this.dns.end > 0 &&
      this.type.end > 0 &&
      this.node.end > 0
    )
  }

  // Each of these gives the place behind what it read, or -1. `at` stands behind the opening brace.

  private flow(at: number): number {
    const { bytes } = this
    for (;;) {
      const begin = at + 1
      const value = this.keyAt(at)
      if (value < 0) return -1
      const length = value - begin - 2
      if (isKey(bytes, begin, length, TIME)) at = this.text(value, this.time)
      else if (isKey(bytes, begin, length, VERDICT)) at = this.text(value, this.verdict)
      else if (isKey(bytes, begin, length, IP)) at = this.addresses(value)
      else if (isKey(bytes, begin, length, L4)) at = this.ports(value)
      else if (isKey(bytes, begin, length, SOURCE)) at = this.side(value, true)
      else if (isKey(bytes, begin, length, DESTINATION)) at = this.side(value, false)
      else if (isKey(bytes, begin, length, NODE_NAME)) at = this.text(value, this.node)
      else if (isKey(bytes, begin, length, L7)) at = this.record(value)
      else if (this.isUnusual(begin, length)) return -1
      else at = skipValue(bytes, value, this.end, 0)
      if (at < 0 || bytes[at] === CLOSE_BRACE) return at < 0 ? -1 : at + 1
      if (bytes[at++] !== COMMA) return -1
    }
  }

  /** | "IP":{"source":"...","destination":"...", ...} | */
  private addresses(at: number): number {
    const { bytes } = this
    if (bytes[at] !== OPEN_BRACE || this.sourceAddress !== '' || this.destinationAddress !== '') return -1
    for (at++; ; ) {
      const begin = at + 1
      const value = this.keyAt(at)
      if (value < 0) return -1
      const length = value - begin - 2
      const isSource = isKey(bytes, begin, length, SOURCE)
      if (isSource || isKey(bytes, begin, length, DESTINATION)) {
        this.address.end = 0
        at = this.text(value, this.address)
        if (at < 0 || (isSource ? this.sourceAddress : this.destinationAddress) !== '') return -1
        const address = bytes.latin1Slice(this.address.start, this.address.end)
        if (isSource) this.sourceAddress = address
        else this.destinationAddress = address
      } else at = skipValue(bytes, value, this.end, 0)
      if (at < 0 || bytes[at] === CLOSE_BRACE) return at < 0 ? -1 : at + 1
      if (bytes[at++] !== COMMA) return -1
    }
  }

  /** | "l4":{"UDP":{"source_port":1,"destination_port":53}} | */
  private ports(at: number): number {
    const { bytes } = this
    if (bytes[at] !== OPEN_BRACE || this.sourcePort >= 0) return -1
    const begin = at + 2
    let value = this.keyAt(at + 1)
    if (value < 0) return -1
    const length = value - begin - 2
    this.isTcp = isKey(bytes, begin, length, TCP_KEY)
    if ((!this.isTcp && !isKey(bytes, begin, length, UDP_KEY)) || bytes[value] !== OPEN_BRACE) return -1
    this.sourcePort = this.destinationPort = 0
    for (at = value + 1; bytes[at] !== CLOSE_BRACE; ) {
      const begin = at + 1
      value = this.keyAt(at)
      if (value < 0) return -1
      const length = value - begin - 2
      const isSource = isKey(bytes, begin, length, SOURCE_PORT)
      // Flags are told of packets, not of records.
      if (!isSource && !isKey(bytes, begin, length, DESTINATION_PORT)) return -1
      at = this.number(value)
      if (at < 0) return -1
      if (isSource) this.sourcePort = this.value & 0xffff
      else this.destinationPort = this.value & 0xffff
      if (bytes[at] === CLOSE_BRACE) break
      if (bytes[at++] !== COMMA || bytes[at] !== QUOTE) return -1
    }
    return bytes[at + 1] === CLOSE_BRACE ? at + 2 : -1
  }

  /** | "source":{"ID":1,"identity":2,"namespace":"...","labels":[...],"pod_name":"..."} | */
  private side(at: number, isSource: boolean): number {
    const { bytes, ends } = this
    const address = isSource ? this.sourceAddress : this.destinationAddress
    // Addresses come first, and an end once.
    if (bytes[at] !== OPEN_BRACE || address === '' || (isSource ? this.source : this.destination) !== NO_END) return -1
    let end = ends.get(address)
    // An object ends with its brace, so whoever has all of its bytes is no longer than it.
    const isKnown = end !== undefined && end.raw.compare(bytes, at, Math.min(at + end.raw.length, this.end)) === 0
    let behind = isKnown ? at + end!.raw.length : -1
    if (!isKnown) {
      end = newEnd(NO_END.raw)
      behind = this.newSide(at, end)
      if (behind < 0) return -1
      end.raw = Buffer.from(bytes.subarray(at, behind))
      if (ends.size >= MOST_ENDS) ends.clear()
      ends.set(address, end)
    }
    if (isSource) this.source = end as ScannedEnd
    else this.destination = end as ScannedEnd
    return behind
  }

  private newSide(at: number, end: ScannedEnd): number {
    const { bytes, pod } = this
    if (bytes[++at] === CLOSE_BRACE) return at + 1
    for (pod.end = 0; ; ) {
      const begin = at + 1
      const value = this.keyAt(at)
      if (value < 0) return -1
      const length = value - begin - 2
      if (isKey(bytes, begin, length, POD_NAME)) {
        at = this.text(value, pod)
        if (at > 0) end.pod = bytes.latin1Slice(pod.start, pod.end)
      } else if (isKey(bytes, begin, length, IDENTITY)) {
        at = this.number(value)
        end.identity = this.value
      } else {
        if (isKey(bytes, begin, length, ID)) end.hasId = true
        at = skipValue(bytes, value, this.end, 0)
      }
      if (at < 0 || bytes[at] === CLOSE_BRACE) return at < 0 ? -1 : at + 1
      if (bytes[at++] !== COMMA) return -1
    }
  }

  /** | "l7":{"type":"REQUEST","dns":{...}} | */
  private record(at: number): number {
    const { bytes } = this
    if (bytes[at] !== OPEN_BRACE || this.type.end > 0 || this.dns.end > 0) return -1
    for (at++; ; ) {
      const begin = at + 1
      const value = this.keyAt(at)
      if (value < 0) return -1
      const length = value - begin - 2
      if (isKey(bytes, begin, length, TYPE)) at = this.text(value, this.type)
      else if (isKey(bytes, begin, length, DNS)) {
        if (bytes[value] !== OPEN_BRACE || this.dns.end > 0) return -1
        at = skipValue(bytes, value, this.end, 0)
        this.dns.start = value
        this.dns.end = at
      } else at = skipValue(bytes, value, this.end, 0)
      if (at < 0 || bytes[at] === CLOSE_BRACE) return at < 0 ? -1 : at + 1
      if (bytes[at++] !== COMMA) return -1
    }
  }

  /** A key and its value, neither of which matters. */
  private member(at: number): number {
    const begin = at + 1
    const value = this.keyAt(at)
    if (value < 0) return -1
    // A second flow, or another event beside it.
    if (!isKey(this.bytes, begin, value - begin - 2, NODE_NAME) && !isKey(this.bytes, begin, value - begin - 2, TIME))
      return -1
    return this.bytes[value] === QUOTE ? skipString(this.bytes, value + 1, this.end) : -1
  }

  /** A key begins at `at`: where its value begins. */
  private keyAt(at: number): number {
    if (this.bytes[at] !== QUOTE) return -1
    const behind = skipString(this.bytes, at + 1, this.end)
    return behind > 0 && this.bytes[behind] === COLON ? behind + 1 : -1
  }

  private text(at: number, range: Range): number {
    if (this.bytes[at] !== QUOTE || range.end > 0) return -1
    const behind = skipString(this.bytes, at + 1, this.end)
    range.start = at + 1
    range.end = behind - 1
    // An empty text is never printed.
    return behind - 1 === at + 1 ? -1 : behind
  }

  private number(at: number): number {
    const behind = skipNumber(this.bytes, at, this.end)
    if (behind < 0 || this.bytes[at] === MINUS) return -1
    let value = 0
    for (let i = at; i < behind; i++) value = value * 10 + this.bytes[i] - ZERO
    this.value = value
    return behind
  }

  private isUnusual(begin: number, length: number): boolean {
    for (const name of UNUSUAL) if (isKey(this.bytes, begin, length, name)) return true
    return false
  }
}

function isKey(bytes: Uint8Array, begin: number, length: number, name: Uint8Array): boolean {
  return length === name.length && bytes[begin] === name[0] && isAt(bytes, begin, name)
}

function isAt(bytes: Uint8Array, begin: number, name: Uint8Array): boolean {
  for (let i = 0; i < name.length; i++) if (bytes[begin + i] !== name[i]) return false
  return true
}

// -- Values that do not matter, checked as JSON.parse would ---------------------------------------------------------------------

/** Each gives the place behind the value; -1 where it is not plain. */
function skipValue(bytes: Uint8Array, at: number, end: number, depth: number): number {
  switch (bytes[at]) {
    case QUOTE:
      return skipText(bytes, at + 1, end)
    case OPEN_BRACE:
      return depth === DEEPEST ? -1 : skipObject(bytes, at + 1, end, depth + 1)
    case OPEN_BRACKET:
      return depth === DEEPEST ? -1 : skipArray(bytes, at + 1, end, depth + 1)
    case 0x74:
      return isAt(bytes, at, TRUE) ? at + TRUE.length : -1
    case 0x66:
      return isAt(bytes, at, FALSE) ? at + FALSE.length : -1
    default:
      return skipNumber(bytes, at, end)
  }
}

const TRUE = key('true')
const FALSE = key('false')

function skipString(bytes: Uint8Array, at: number, end: number): number {
  for (; at < end; at++) {
    const byte = bytes[at]
    if (byte === QUOTE) return at + 1
    if (byte < 0x20 || byte > 0x7e || byte === BACKSLASH) return -1
  }
  return -1
}

/** With escapes in it. */
function skipText(bytes: Uint8Array, at: number, end: number): number {
  for (; at < end; at++) {
    const byte = bytes[at]
    if (byte === QUOTE) return at + 1
    if (byte < 0x20 || byte > 0x7e) return -1
    if (byte !== BACKSLASH) continue
    const escaped = bytes[++at]
    if (escaped === QUOTE || escaped === BACKSLASH) continue
    // "<", ">" and "&" are written as \u003c and so on; whatever else there is comes rarely.
    if (escaped !== LETTER_U) return -1
    for (const last = at + 4; at < last; ) if (!isHex(bytes[++at])) return -1
  }
  return -1
}

const isHex = (byte: number): boolean =>
  (byte >= ZERO && byte <= NINE) || (byte >= 0x61 && byte <= 0x66) || (byte >= 0x41 && byte <= 0x46)

function skipNumber(bytes: Uint8Array, at: number, end: number): number {
  const begin = bytes[at] === MINUS ? at + 1 : at
  let behind = begin
  while (behind < end && bytes[behind] >= ZERO && bytes[behind] <= NINE) behind++
  const digits = behind - begin
  // A fraction or an exponent would follow.
  if (digits === 0 || digits > MOST_DIGITS + 1 || (digits > 1 && bytes[begin] === ZERO)) return -1
  const next = bytes[behind]
  return next === COMMA || next === CLOSE_BRACE || next === CLOSE_BRACKET ? behind : -1
}

function skipObject(bytes: Uint8Array, at: number, end: number, depth: number): number {
  if (bytes[at] === CLOSE_BRACE) return at + 1
  while (at < end) {
    if (bytes[at] !== QUOTE) return -1
    at = skipString(bytes, at + 1, end)
    if (at < 0 || bytes[at] !== COLON) return -1
    at = skipValue(bytes, at + 1, end, depth)
    if (at < 0) return -1
    if (bytes[at] === CLOSE_BRACE) return at + 1
    if (bytes[at++] !== COMMA) return -1
  }
  return -1
}

function skipArray(bytes: Uint8Array, at: number, end: number, depth: number): number {
  if (bytes[at] === CLOSE_BRACKET) return at + 1
  while (at < end) {
    at = skipValue(bytes, at, end, depth)
    if (at < 0) return -1
    if (bytes[at] === CLOSE_BRACKET) return at + 1
    if (bytes[at++] !== COMMA) return -1
  }
  return -1
}
