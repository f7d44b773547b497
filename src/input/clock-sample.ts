/**
 * A sample of one capture's transactions, for comparing its clock with others': when its query and its response were first seen here.
 * Which transactions belong to it depends on what the message says alone, so that two captures choose the same ones.
 */
import { QR } from '../codes.ts'
import { DNS_MESSAGE, type Messages, NONE, type Time } from '../model.ts'
import type { ClockStep } from './clock-steps.ts'

/** A second sighting after this is no copy at another interface: the question was asked again, and nobody knows which is which. */
const COPY: Time = 2e6

/** Part of the sample that is few: a switch may send the one or other frame to two places. */
const FEW = 0.1

interface Sighted {
  query: Time
  response: Time
  queryFrame: number
  responseFrame: number
  /** Asked or answered more than once. */
  again: boolean
}

export class ClockSample {
  private readonly sighted = new Map<number, Sighted>()
  /** Second sightings at another interface. */
  private copies = 0
  private readonly most: number
  /** What hashes to at least this is not of the sample. Halved when the sample is full, so it stays spread over all of the capture. */
  private limit = 2 ** 32

  /** `most`: how many transactions are kept. */
  constructor(most: number) {
    this.most = most
  }

  /** Takes row i, seen at `time`. */
  add(m: Messages, i: number, time: Time): void {
    if (m.kind[i] !== DNS_MESSAGE || m.dnsId[i] === NONE || m.qname[i] === NONE) return
    const isResponse = (m.flags[i] & QR) !== 0
    const clientPort = isResponse ? m.toPort[i] : m.fromPort[i]
    const serverPort = isResponse ? m.fromPort[i] : m.toPort[i]
    let hash = isResponse ? mixed(m.to[i], m.from[i]) : mixed(m.from[i], m.to[i])
    hash = mixed(hash, (clientPort << 16) | m.dnsId[i])
    hash = mixed(hash, (m.qtype[i] << 16) ^ (serverPort << 1) ^ m.transport[i])
    hash = mixed(hash, m.qname[i])
    if (hash >= this.limit) return
    const key = hash * 0x20_0000 + (mixed(hash, 0x5bd1_e995 ^ m.qname[i] ^ (m.dnsId[i] << 8) ^ clientPort) >>> 11)
    const known = this.sighted.get(key)
    if (known === undefined) {
      if (this.sighted.size >= this.most) this.thin()
      this.sighted.set(key, {
        query: isResponse ? Number.NaN : time,
        response: isResponse ? time : Number.NaN,
        queryFrame: m.frame[i],
        responseFrame: m.frame[i],
        again: false,
      })
    } else if (isResponse) {
      if (Number.isNaN(known.response)) {
        known.response = time
        known.responseFrame = m.frame[i]
      } else this.addSecond(known, time - known.response)
    } else if (Number.isNaN(known.query)) {
      known.query = time
      known.queryFrame = m.frame[i]
    } else this.addSecond(known, time - known.query)
  }

  /** Takes back that the clock was set. */
  undo({ frame, by }: ClockStep): void {
    for (const known of this.sighted.values()) {
      if (known.queryFrame >= frame) known.query -= by
      if (known.responseFrame >= frame) known.response -= by
    }
  }

  private addSecond(known: Sighted, gap: Time): void {
    if (Math.abs(gap) > COPY) known.again = true
    else this.copies++
  }

  /** True where messages pass more than one of the capture's interfaces, as a node's do. */
  get seesCopies(): boolean {
    return this.copies > FEW * this.sighted.size
  }

  /** The transactions that were seen whole and once, by what they say; `frame` is the query's. */
  whole(visit: (key: number, query: Time, response: Time, frame: number) => void): void {
    for (const [key, { query, response, queryFrame, again }] of this.sighted) {
      if (!again && response >= query) visit(key, query, response, queryFrame)
    }
  }

  /** How many transactions the capture saw whole, as far as the sample tells. */
  get size(): number {
    let n = 0
    this.whole(() => n++)
    return (n * 2 ** 32) / this.limit
  }

  /** True where the capture's sample would hold what has this key, if it saw it. */
  wouldHold(key: number): boolean {
    return key < this.limit * 0x20_0000
  }

  private thin(): void {
    this.limit /= 2
    for (const key of this.sighted.keys()) if (key >= this.limit * 0x20_0000) this.sighted.delete(key)
  }
}

/** MurmurHash3's way to mix 32 bits into 32 others; not negative. */
function mixed(hash: number, value: number): number {
  let k = Math.imul(value, 0xcc9e_2d51)
  k = Math.imul((k << 15) | (k >>> 17), 0x1b87_3593)
  let h = hash ^ k
  h = Math.imul((h << 13) | (h >>> 19), 5) + 0xe654_6b64
  h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35)
  return (h ^ (h >>> 16)) >>> 0
}
