/**
 * Addresses, names and vantage points as small numbers, so that the hot path holds and compares ids instead of strings.
 * One set of tables serves a whole run, whatever the number of captures.
 */
import { type AddressId, NONE, type Vantage, type VantageId } from '../model.ts'
import { Encrypted } from './encrypted.ts'
import { Names } from './names.ts'

declare global {
  interface Buffer {
    /** Node's own fast path behind toString('latin1', start, end); present in every version, absent from its types. */
    latin1Slice(start: number, end: number): string
  }
}

export interface Tables {
  addresses: Addresses
  names: Names
  vantages: Vantages
  encrypted: Encrypted
}

/**
 * How many names and addresses are told apart: 0.1 KB a name and 0.3 KB an address in here, and of an address several KB in trace/. More
 * than any cluster has; what comes with further ones is left out, and counted.
 */
const MOST_NAMES = 1 << 19
const MOST_ADDRESSES = 1 << 17

/** Addresses that are found without their table: a power of two. */
const LATEST = 1024

/** `limit` in place of both numbers, for those who keep nothing else of names and addresses. */
export const newTables = (limit?: number): Tables => ({
  addresses: new Addresses(limit ?? MOST_ADDRESSES),
  names: new Names(limit ?? MOST_NAMES),
  vantages: new Vantages(),
  encrypted: new Encrypted(),
})

/** IPv4 and IPv6 addresses. An IPv4-mapped IPv6 address is its own address. */
export class Addresses {
  private readonly v4 = new Map<number, AddressId>()
  /** The latest of these, by their last bits: looked at before the table, which makes a hash of each. */
  private readonly latest = new Int32Array(LATEST)
  private readonly latestIds = new Int32Array(LATEST).fill(NONE)
  private readonly v6 = new Map<string, AddressId>()
  private readonly texts: string[] = []
  private readonly aliases = new Map<AddressId, AddressId>()
  private readonly limit: number
  /** As somebody wrote them, so that a flow log's addresses are parsed once. */
  private readonly written = new Map<string, AddressId>()

  constructor(limit: number) {
    this.limit = limit
  }

  /** The id of the 4 bytes at `offset`, NONE where there is no room for another address. The caller has checked the length. */
  internV4(bytes: Uint8Array, offset: number): AddressId {
    const key = (bytes[offset] << 24) | (bytes[offset + 1] << 16) | (bytes[offset + 2] << 8) | bytes[offset + 3]
    const place = (key ^ (key >>> 9)) & (LATEST - 1)
    if (this.latest[place] === key && this.latestIds[place] !== NONE) return this.latestIds[place]
    const id = this.v4.get(key) ?? this.addV4(key)
    this.latest[place] = key
    this.latestIds[place] = id
    return id
  }

  private addV4(key: number): AddressId {
    const id = this.texts.length
    if (id >= this.limit) return NONE
    this.texts.push(`${(key >>> 24) & 255}.${(key >>> 16) & 255}.${(key >>> 8) & 255}.${key & 255}`)
    this.v4.set(key, id)
    return id
  }

  /** The same of the 16 bytes at `offset`. */
  internV6(bytes: Buffer, offset: number): AddressId {
    const key = bytes.latin1Slice(offset, offset + 16)
    const known = this.v6.get(key)
    if (known !== undefined) return known
    const id = this.texts.length
    if (id >= this.limit) return NONE
    this.texts.push(textOfV6(bytes, offset))
    this.v6.set(key, id)
    return id
  }

  /** The id of an address written as text (a hint, a Hubble flow), NONE if it is not an address. */
  internText(text: string): AddressId {
    const known = this.written.get(text)
    if (known !== undefined) return known
    const id = this.intern(text)
    if (id !== NONE) this.written.set(text, id)
    return id
  }

  /** The id of a host of which only a name is known (what Hubble prints for people): it stands where an address would. */
  internName(name: string): AddressId {
    const known = this.internText(name)
    if (known !== NONE) return known
    const id = this.texts.length
    this.texts.push(name)
    this.written.set(name, id)
    return id
  }

  /** The same without remembering how it was written. */
  intern(text: string): AddressId {
    const v4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)
    if (v4) {
      const parts = v4.slice(1).map(Number)
      return parts.every(part => part < 256) ? this.internV4(Uint8Array.from(parts), 0) : NONE
    }
    const bytes = bytesOfV6(text)
    return bytes ? this.internV6(bytes, 0) : NONE
  }

  /** Another id for the same address: a server of its own behind it, on another node. The same one where there is no room. */
  alias(id: AddressId): AddressId {
    const alias = this.texts.length
    if (alias >= this.limit) return id
    this.texts.push(this.texts[id])
    this.aliases.set(alias, id)
    return alias
  }

  /** The id by which messages and the user know an address. */
  own(id: AddressId): AddressId {
    return this.aliases.get(id) ?? id
  }

  text(id: AddressId): string {
    return this.texts[id]
  }

  get size(): number {
    return this.texts.length
  }
}

/** The interfaces at which frames were captured. */
class Vantages {
  private readonly ids = new Map<number, VantageId>()
  readonly list: Vantage[] = []

  /** `index`: the interface's number in its file, NONE where the file has one interface without a number. */
  intern(file: number, index: number, name: string | null, linkType: number): VantageId {
    const key = file * 0x1_0000_0000 + (index + 1)
    const known = this.ids.get(key)
    if (known !== undefined) return known
    const id = this.list.length
    this.list.push({ file, index, name, linkType })
    this.ids.set(key, id)
    return id
  }
}

/** RFC 5952: lower case, the longest run of zero groups (the first of equals, at least two) as "::". */
export function textOfV6(bytes: Uint8Array, offset: number): string {
  const groups: number[] = []
  for (let i = 0; i < 16; i += 2) groups.push((bytes[offset + i] << 8) | bytes[offset + i + 1])
  let best = -1
  let bestLength = 1
  for (let i = 0; i < 8; i++) {
    let n = 0
    while (i + n < 8 && groups[i + n] === 0) n++
    if (n > bestLength) {
      best = i
      bestLength = n
    }
    if (n > 0) i += n
  }
  const hex = groups.map(group => group.toString(16))
  if (best < 0) return hex.join(':')
  return `${hex.slice(0, best).join(':')}::${hex.slice(best + bestLength).join(':')}`
}

function bytesOfV6(text: string): Buffer | null {
  if (!/^[0-9a-fA-F:]+$/.test(text) || !text.includes(':')) return null
  const halves = text.split('::')
  if (halves.length > 2) return null
  const left = halves[0].split(':').filter(Boolean)
  const right = halves.length === 2 ? halves[1].split(':').filter(Boolean) : []
  const missing = 8 - left.length - right.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null
  const groups = [...left, ...Array<string>(missing).fill('0'), ...right]
  if (groups.some(group => group.length > 4)) return null
  const bytes = Buffer.alloc(16)
  groups.forEach((group, i) => {
    bytes.writeUInt16BE(Number.parseInt(group, 16), 2 * i)
  })
  return bytes
}
