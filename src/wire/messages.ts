/** The block of rows that the decoder fills: its columns, and how it makes room. */
import type { Messages } from '../model.ts'

/** Bytes of messages that a block holds before it is handed over (with keepBytes). */
const BLOCK_BYTES = 1 << 20

export function newMessages(capacity: number, keepBytes: boolean): Messages {
  return {
    length: 0,
    kind: new Uint8Array(capacity),
    seconds: new Float64Array(capacity),
    nanos: new Int32Array(capacity),
    file: new Uint16Array(capacity),
    frame: new Uint32Array(capacity),
    vantage: new Int32Array(capacity),
    direction: new Uint8Array(capacity),
    transport: new Uint8Array(capacity),
    from: new Int32Array(capacity),
    to: new Int32Array(capacity),
    fromPort: new Uint16Array(capacity),
    toPort: new Uint16Array(capacity),
    ipId: new Int32Array(capacity),
    ttl: new Uint8Array(capacity),
    linkSource: new Float64Array(capacity),
    size: new Int32Array(capacity),
    state: new Uint8Array(capacity),
    dnsId: new Int32Array(capacity),
    flags: new Int32Array(capacity),
    rcode: new Int16Array(capacity),
    qdcount: new Uint16Array(capacity),
    ancount: new Uint16Array(capacity),
    nscount: new Uint16Array(capacity),
    arcount: new Uint16Array(capacity),
    qname: new Int32Array(capacity),
    qtype: new Int32Array(capacity),
    qclass: new Int32Array(capacity),
    edns: new Int32Array(capacity),
    content: new Uint8Array(capacity),
    addresses: new Uint16Array(capacity),
    ipv4: new Int32Array(capacity),
    cname: new Int32Array(capacity),
    recordTtl: new Int32Array(capacity),
    sinceSyn: new Float64Array(capacity),
    bytes: Buffer.alloc(keepBytes ? BLOCK_BYTES : 0),
    start: new Int32Array(keepBytes ? capacity : 0),
    bytesLength: new Int32Array(keepBytes ? capacity : 0),
  }
}

/** Whether the block has to be handed over (or to grow) before a row with so many bytes is appended. */
export function isFull(messages: Messages, bytes: number): boolean {
  return messages.length >= messages.kind.length || bytesUsed(messages) + bytes > messages.bytes.length
}

/** Twice the rows, or twice the bytes, in the same object. Old rows stay. */
export function grow(messages: Messages, bytes: number): void {
  const used = bytesUsed(messages)
  if (used + bytes > messages.bytes.length) {
    const larger = Buffer.alloc(Math.max(2 * messages.bytes.length, used + bytes))
    larger.set(messages.bytes)
    messages.bytes = larger
  }
  if (messages.length < messages.kind.length) return
  const larger = newMessages(2 * messages.kind.length, messages.start.length > 0)
  const { length, bytes: kept } = messages
  for (const [column, values] of Object.entries(messages)) {
    if (column === 'length' || column === 'bytes' || column === 'answers') continue
    larger[column as 'start'].set(values)
  }
  Object.assign(messages, larger, { length, bytes: kept })
}

/** Copies the bytes of the row that is about to be appended. There must be room. */
export function keep(messages: Messages, source: Uint8Array, at: number, end: number): void {
  const row = messages.length
  const start = bytesUsed(messages)
  // copyWithin and set(subarray) would both need a view; a message is short.
  for (let i = at, to = start; i < end; i++, to++) messages.bytes[to] = source[i]
  messages.start[row] = start
  messages.bytesLength[row] = end - at
}

function bytesUsed(messages: Messages): number {
  const last = messages.length - 1
  return last < 0 || messages.start.length === 0 ? 0 : messages.start[last] + messages.bytesLength[last]
}
