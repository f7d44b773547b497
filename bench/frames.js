// @ts-check
/**
 * Frames into a classic pcap file: one buffer that is patched in place and written in large pieces. No object, no string and no
 * view is made per frame.
 */
import { closeSync, openSync, writeSync } from 'node:fs'

const BUFFER = 8 << 20
/** More than the longest frame with its record header. */
const ROOM = 2048

export const ETHERNET = 1
export const SLL2 = 276

/** SLL2 packet types. */
export const IN = 0
export const OTHER_HOST = 3
export const OUT = 4

const SYN = 2
const ACK = 16
const PUSH = 8
const FIN = 1

/**
 * @typedef {object} FrameWriter
 * @property {() => number} frames written so far
 * @property {() => number} bytes written so far
 * @property {(where: Where, from: number, to: number, fromPort: number, toPort: number, ttl: number, ipId: number, payload: Uint8Array, length: number) => void} udp
 * @property {(where: Where, from: number, to: number, fromPort: number, toPort: number, ttl: number, ipId: number, flags: number, seq: number, ack: number, payload: Uint8Array, length: number, prefixed: boolean) => void} tcp
 * @property {() => void} close
 *
 * @typedef {object} Where
 * @property {number} time nanoseconds since the capture's start
 * @property {number} ifindex SLL2 only
 * @property {number} kind SLL2 packet type
 */

export const TCP_FLAGS = { SYN, SYN_ACK: SYN | ACK, ACK, DATA: ACK | PUSH, FIN: FIN | ACK }

/**
 * @param {string} file
 * @param {number} linkType
 * @param {number} startSeconds seconds since 1970 of the capture's start
 * @param {number} limit no frame is written after this many
 * @returns {FrameWriter}
 */
export function frameWriter(file, linkType, startSeconds, limit) {
  const fd = openSync(file, 'w')
  const buf = Buffer.alloc(BUFFER)
  let at = 0
  let written = 0
  let frames = 0
  /** Captures are in the order of time: a frame is never written with an earlier time than the one before. */
  let last = 0

  const flush = () => {
    for (let done = 0; done < at; ) done += writeSync(fd, buf, done, at - done)
    written += at
    at = 0
  }

  buf.writeUInt32LE(0xa1b2c3d4, 0)
  buf.writeUInt16LE(2, 4)
  buf.writeUInt16LE(4, 6)
  buf.writeUInt32LE(262144, 16)
  buf.writeUInt32LE(linkType, 20)
  at = 24

  /** @param {number} value */
  const put16 = value => {
    buf[at++] = value >>> 8
    buf[at++] = value
  }
  /** @param {number} value */
  const put32 = value => {
    buf[at++] = value >>> 24
    buf[at++] = value >>> 16
    buf[at++] = value >>> 8
    buf[at++] = value
  }
  /** @param {number} value */
  const put32le = value => {
    buf[at++] = value
    buf[at++] = value >>> 8
    buf[at++] = value >>> 16
    buf[at++] = value >>> 24
  }

  /**
   * Record header, link layer and IPv4 header.
   * @param {Where} where
   * @param {number} from
   * @param {number} to
   * @param {number} ttl
   * @param {number} ipId
   * @param {number} protocol
   * @param {number} length of the IP payload
   */
  const head = (where, from, to, ttl, ipId, protocol, length) => {
    if (at > BUFFER - ROOM) flush()
    frames++
    if (where.time > last) last = where.time
    const seconds = Math.floor(last / 1e9)
    const link = linkType === ETHERNET ? 14 : 20
    put32le(startSeconds + seconds)
    put32le(Math.floor((last - seconds * 1e9) / 1000))
    put32le(link + 20 + length)
    put32le(link + 20 + length)
    if (linkType === ETHERNET) {
      put16(0x0242)
      put32(to)
      put16(0x0242)
      put32(from)
      put16(0x0800)
    } else {
      put32(0x08000000)
      put32(where.ifindex)
      put16(0x0001)
      buf[at++] = where.kind
      buf[at++] = 6
      put16(0x0242)
      put32(from)
      put16(0)
    }
    const total = 20 + length
    const idAndFragment = ((ipId & 0xffff) << 16) | 0x4000
    let sum = 0x4500 + total + (ipId & 0xffff) + 0x4000 + ((ttl << 8) | protocol)
    sum += (from >>> 16) + (from & 0xffff) + (to >>> 16) + (to & 0xffff)
    sum = (sum & 0xffff) + (sum >>> 16)
    sum = (sum & 0xffff) + (sum >>> 16)
    put16(0x4500)
    put16(total)
    put32(idAndFragment)
    buf[at++] = ttl
    buf[at++] = protocol
    put16(~sum)
    put32(from)
    put32(to)
  }

  /**
   * @param {Uint8Array} payload
   * @param {number} length
   */
  const body = (payload, length) => {
    // Below some two hundred bytes a loop beats the call into the runtime that `set` is.
    if (length > 200) buf.set(payload.subarray(0, length), at)
    else for (let i = 0; i < length; i++) buf[at + i] = payload[i]
    at += length
  }

  return {
    frames: () => frames,
    bytes: () => written + at,
    udp(where, from, to, fromPort, toPort, ttl, ipId, payload, length) {
      if (frames >= limit) return
      head(where, from, to, ttl, ipId, 17, 8 + length)
      put16(fromPort)
      put16(toPort)
      put16(8 + length)
      put16(0) // no checksum, which IPv4 allows
      body(payload, length)
    },
    tcp(where, from, to, fromPort, toPort, ttl, ipId, flags, seq, ack, payload, length, prefixed) {
      if (frames >= limit) return
      head(where, from, to, ttl, ipId, 6, 20 + length + (prefixed ? 2 : 0))
      put16(fromPort)
      put16(toPort)
      put32(seq)
      put32(ack)
      put16(0x5000 | flags)
      put16(512)
      put32(0)
      if (prefixed) put16(length)
      body(payload, length)
    },
    close() {
      flush()
      closeSync(fd)
    },
  }
}
