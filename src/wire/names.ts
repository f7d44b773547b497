/**
 * Domain names as small numbers. One table serves a whole run, and names are never forgotten, so a name takes little: the beginning of its
 * lower-cased wire form in a block of bytes, the number of its tail, which many share, and a few columns. Its text is made when somebody asks
 * for it.
 */
import { type NameId, NONE } from '../model.ts'
import { hashOf, LOWER, Tails } from './tails.ts'

/** Blocks in which the names' bytes stand; no name crosses from one to the next. */
const BLOCK = 1 << 18
/** Texts that are kept, each in its place until another one takes it; a power of two. Few names make up most messages. */
const TEXTS = 16_384
/** Slots of the cache in front of the table, a power of two, and the bytes that one holds. */
const SLOTS = 2048
const SLOT_BYTES = 128
/** How the columns grow: doubled, half of them would be empty at worst. */
const GROWTH = 1.25
/** In `ends`: what is not the tail. */
const IS_SERVICE = 0x8000
/** "svc" with its length before it. */
const SVC = [3, 0x73, 0x76, 0x63]

/** Names, lower-cased (RFC 4343), so that a name in mixed case (0x20) is the same as in lower case. */
export class Names {
  private readonly blocks: Buffer[] = []
  private used = BLOCK
  // By id: where the bytes before its tail stand, how many, the hash of the whole name, that of the first label; and its tail + 1 (0 where
  // it has none), with IS_SERVICE where ".svc." is in it.
  private starts = new Uint32Array(1024)
  private lengths = new Uint8Array(1024)
  private hashes = new Int32Array(1024)
  private heads = new Int32Array(1024)
  private ends = new Uint16Array(1024)
  private count = 0
  /** Open addressing: id + 1, 0 where free. At most half full. */
  private table = new Int32Array(2048)
  /** So that nobody can write names that all fall into one place. */
  private readonly seed = (Math.random() * 0x1_0000_0000) | 0
  private readonly tails = new Tails(this.seed)
  private readonly texts = new Array<string>(TEXTS).fill('')
  private readonly textIds = new Int32Array(TEXTS).fill(NONE)
  /** Names in texts that no wire form has (a flow log may hold anything). */
  private readonly odd = new Map<string, NameId>()
  private readonly oddTexts = new Map<NameId, string>()
  private readonly scratch = Buffer.alloc(256)
  private readonly limit: number
  // The cache in front: few names make up most messages, so the last one of each slot is compared as it came, byte by byte.
  private readonly slotBytes = new Uint8Array(SLOTS * SLOT_BYTES)
  private readonly slotLengths = new Uint8Array(SLOTS)
  private readonly slotIds = new Int32Array(SLOTS)

  /** `limit`: how many names are told apart. */
  constructor(limit = Number.POSITIVE_INFINITY) {
    this.limit = limit
  }

  /** The id of an uncompressed wire name at [start, end), its final zero byte included or not; NONE where there are too many names. */
  internWire(bytes: Buffer, start: number, end: number): NameId {
    const length = end - start
    if (length > SLOT_BYTES || length === 0) return this.lookUp(bytes, start, end)
    const slot = slotOf(bytes, start, length)
    const { slotBytes } = this
    if (this.slotLengths[slot] === length) {
      let at = slot * SLOT_BYTES
      let position = start
      while (position < end && bytes[position] === slotBytes[at]) {
        position++
        at++
      }
      if (position === end) return this.slotIds[slot]
    }
    const id = this.lookUp(bytes, start, end)
    for (let i = 0, at = slot * SLOT_BYTES; i < length; i++) slotBytes[at + i] = bytes[start + i]
    this.slotLengths[slot] = length
    this.slotIds[slot] = id
    return id
  }

  /** The id of a name in presentation form, without a trailing dot; "" is the root. */
  internText(text: string): NameId {
    const name = text.toLowerCase()
    const length = this.toWire(name)
    if (length !== NONE) return this.lookUp(this.scratch, 0, length)
    const known = this.odd.get(name)
    if (known !== undefined) return known
    const id = this.add(this.scratch, 0, 0, hashOf(this.seed, this.scratch, 0, 0))
    if (id === NONE) return NONE
    this.odd.set(name, id)
    this.oddTexts.set(id, name)
    const dot = name.indexOf('.')
    this.heads[id] = hashOfText(this.seed, dot < 0 ? name : name.slice(0, dot))
    this.ends[id] = name.includes('.svc.') ? IS_SERVICE : 0
    return id
  }

  /** The id of a name that was seen, in lower case; NONE for any other. */
  find(text: string): NameId {
    const length = this.toWire(text)
    if (length === NONE) return this.odd.get(text) ?? NONE
    const slot = this.placeOf(this.scratch, 0, length, hashOf(this.seed, this.scratch, 0, length))
    return this.table[slot] - 1
  }

  /** In presentation form, lower case, without a trailing dot; "" is the root. */
  text(id: NameId): string {
    const place = id & (TEXTS - 1)
    if (this.textIds[place] === id) return this.texts[place]
    const text = this.oddTexts.get(id) ?? this.makeText(id)
    this.textIds[place] = id
    this.texts[place] = text
    return text
  }

  private makeText(id: NameId): string {
    const { scratch } = this
    const end = this.copy(id)
    let nextLabel = 0
    for (let at = 0; at < end; at++) {
      const byte = scratch[at]
      if (at === nextLabel) {
        scratch[at] = DOT
        nextLabel += 1 + byte
      } else if (byte <= 0x20 || byte >= 0x7f || byte === DOT || byte === BACKSLASH)
        return textOfName(scratch, 0, this.copy(id))
    }
    return end === 0 ? '' : scratch.latin1Slice(1, end)
  }

  /** Puts the name's bytes together in `scratch`; how many these are. */
  private copy(id: NameId): number {
    const { scratch } = this
    const block = this.blocks[Math.floor(this.starts[id] / BLOCK)]
    const start = this.starts[id] % BLOCK
    const length = this.lengths[id]
    for (let i = 0; i < length; i++) scratch[i] = block[start + i]
    const tail = this.ends[id] & ~IS_SERVICE
    return tail === 0 ? length : length + this.tails.get(tail - 1).copy(scratch, length)
  }

  /** A number for a name's first label: the same for all names of a search walk, and seldom the same for two labels. */
  head(id: NameId): number {
    return this.heads[id]
  }

  /** True if ".svc." stands in the name: it is meant for a service of the cluster. */
  isService(id: NameId): boolean {
    return this.ends[id] >= IS_SERVICE
  }

  /** A copy of its lower-cased wire form, without the final zero. */
  wire(id: NameId): Buffer {
    return Buffer.from(this.scratch.subarray(0, this.copy(id)))
  }

  get size(): number {
    return this.count
  }

  // -- The table --------------------------------------------------------------------------------------------------------------------

  private lookUp(bytes: Buffer, start: number, end: number): NameId {
    const last = endOfLabels(bytes, start, end)
    const hash = hashOf(this.seed, bytes, start, last)
    const known = this.table[this.placeOf(bytes, start, last, hash)]
    return known === 0 ? this.addToTable(bytes, start, last, hash) : known - 1
  }

  /** Where the name stands in the table, or would. */
  private placeOf(bytes: Buffer, start: number, end: number, hash: number): number {
    const { table, hashes } = this
    const mask = table.length - 1
    let place = hash & mask
    for (; table[place] !== 0; place = (place + 1) & mask) {
      const id = table[place] - 1
      if (hashes[id] === hash && this.isName(id, bytes, start, end)) break
    }
    return place
  }

  private isName(id: NameId, bytes: Buffer, start: number, end: number): boolean {
    const tail = this.ends[id] & ~IS_SERVICE
    const behind = start + this.lengths[id]
    const block = this.blocks[Math.floor(this.starts[id] / BLOCK)]
    return tail === 0
      ? behind === end && isLike(block, this.starts[id] % BLOCK, bytes, start, end)
      : behind + this.tails.get(tail - 1).length === end &&
          isLike(block, this.starts[id] % BLOCK, bytes, start, behind) &&
          isLike(this.tails.get(tail - 1), 0, bytes, behind, end)
  }

  private addToTable(bytes: Buffer, start: number, end: number, hash: number): NameId {
    const id = this.add(bytes, start, end, hash)
    if (id === NONE) return NONE
    if (this.count * 2 > this.table.length) this.rehash()
    else this.table[this.placeOf(bytes, start, end, hash)] = id + 1
    return id
  }

  private rehash(): void {
    this.table = new Int32Array(this.table.length * 2)
    const mask = this.table.length - 1
    for (let id = 0; id < this.count; id++) {
      if (this.odd.size > 0 && this.oddTexts.has(id)) continue
      let place = this.hashes[id] & mask
      while (this.table[place] !== 0) place = (place + 1) & mask
      this.table[place] = id + 1
    }
  }

  private add(bytes: Buffer, start: number, end: number, hash: number): NameId {
    if (this.count >= this.limit) return NONE
    const id = this.count++
    if (id === this.starts.length) this.enlarge()
    const { scratch } = this
    for (let i = start; i < end; i++) scratch[i - start] = LOWER[bytes[i]]
    const tail = this.tails.of(scratch, end - start)
    const length = end - start - (tail === NONE ? 0 : this.tails.get(tail).length)
    if (this.used + length > BLOCK) {
      this.blocks.push(Buffer.allocUnsafeSlow(BLOCK))
      this.used = 0
    }
    const block = this.blocks[this.blocks.length - 1]
    this.starts[id] = (this.blocks.length - 1) * BLOCK + this.used
    for (let i = 0; i < length; i++) block[this.used++] = scratch[i]
    this.lengths[id] = length
    this.hashes[id] = hash
    this.heads[id] = hashOf(this.seed, bytes, start, end === start ? start : Math.min(end, start + 1 + bytes[start]))
    this.ends[id] = tail + 1 + (hasSvc(bytes, start, end) ? IS_SERVICE : 0)
    return id
  }

  private enlarge(): void {
    const room = Math.ceil(this.starts.length * GROWTH)
    this.starts = enlarged(this.starts, new Uint32Array(room))
    this.lengths = enlarged(this.lengths, new Uint8Array(room))
    this.hashes = enlarged(this.hashes, new Int32Array(room))
    this.heads = enlarged(this.heads, new Int32Array(room))
    this.ends = enlarged(this.ends, new Uint16Array(room))
  }

  /** Writes a text's wire form, without the final zero, into `scratch` and returns its length; NONE where it has none that means the same. */
  private toWire(text: string): number {
    const { scratch } = this
    if (text === '') return 0
    let label = 0
    let at = 1
    for (let i = 0; i <= text.length; i++) {
      const code = i < text.length ? text.charCodeAt(i) : DOT
      if (code === DOT) {
        const size = at - label - 1
        if (size === 0 || size > 63) return NONE
        scratch[label] = size
        label = at++
      } else if (code === BACKSLASH) {
        const byte = escapedByte(text, i + 1)
        if (byte === NONE) return NONE
        i += byte === DOT || byte === BACKSLASH ? 1 : 3
        scratch[at++] = byte
      } else {
        // What textOfName would have escaped is no name's text.
        if (code <= 0x20 || code >= 0x7f) return NONE
        scratch[at++] = code
      }
      if (at > 255) return NONE
    }
    return label
  }
}

const DOT = 0x2e
const BACKSLASH = 0x5c

/** True where these bytes, in lower case, stand there. */
function isLike(lower: Uint8Array, at: number, bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (lower[at++] !== LOWER[bytes[i]]) return false
  return true
}

/** The byte that textOfName escapes like this; NONE for any other text behind a backslash. */
function escapedByte(text: string, at: number): number {
  const code = text.charCodeAt(at)
  if (code === DOT || code === BACKSLASH) return code
  const digits = text.slice(at, at + 3)
  if (!/^\d{3}$/.test(digits)) return NONE
  const byte = Number(digits)
  return byte <= 0x20 || (byte >= 0x7f && byte <= 255) ? byte : NONE
}

/** Where the labels end: before the final zero, or where the capture cut the name. */
function endOfLabels(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && bytes[at] !== 0) at += 1 + bytes[at]
  return Math.min(at, end)
}

/** True if a label "svc" stands between two others. */
function hasSvc(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start + 1 + bytes[start]; at + 4 < end; at += 1 + bytes[at]) {
    let i = 0
    while (i < 4 && LOWER[bytes[at + i]] === SVC[i]) i++
    if (i === 4) return true
    if (bytes[at] === 0) return false
  }
  return false
}

function hashOfText(seed: number, text: string): number {
  let hash = seed
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x0100_0193)
  return hash
}

function enlarged<Column extends Uint32Array | Int32Array | Uint16Array | Uint8Array>(
  old: Column,
  larger: Column,
): Column {
  larger.set(old)
  return larger
}

/** From the length, the first bytes (where names of a cluster differ) and some further on. */
function slotOf(bytes: Uint8Array, start: number, length: number): number {
  const step = (length + 7) >> 3
  let hash = length
  for (let i = 0; i < length; i += step) hash = Math.imul(hash ^ bytes[start + i], 0x9e37_79b1) ^ (hash >>> 15)
  const head = length < 12 ? length : 12
  for (let i = 1; i < head; i++) hash = Math.imul(hash ^ bytes[start + i], 0x85eb_ca6b)
  return (hash ^ (hash >>> 13) ^ (hash >>> 21)) & (SLOTS - 1)
}

/**
 * A wire name in presentation form (RFC 1035 5.1, RFC 4343), in the case in which it came: a dot or backslash inside a label is escaped with a backslash, a byte
 * outside printable ASCII is \DDD, so the text holds no control character and can be split at its bare dots.
 */
export function textOfName(bytes: Uint8Array, start: number, end: number): string {
  let text = ''
  let at = start
  while (at < end) {
    const length = bytes[at++]
    if (length === 0) break
    if (text !== '') text += '.'
    const labelEnd = Math.min(at + length, end)
    for (; at < labelEnd; at++) {
      const byte = bytes[at]
      if (byte === 0x2e || byte === 0x5c) text += `\\${String.fromCharCode(byte)}`
      else if (byte > 0x20 && byte < 0x7f) text += String.fromCharCode(byte)
      else text += `\\${String(byte).padStart(3, '0')}`
    }
  }
  return text
}
