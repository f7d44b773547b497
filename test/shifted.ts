/** A capture as a machine with a wrong clock would have written it: every time stamp of a classic pcap moved. */
import { readFileSync } from 'node:fs'

const NANOSECOND_MAGIC = 0xa1b23c4d
const GLOBAL_HEADER = 24
const RECORD_HEADER = 16

/** A copy of the little-endian pcap at `path` whose clock is `offsetMs` ahead at its first frame and gains `driftPpm` from there on. */
export const shifted = (path: string, offsetMs: number, driftPpm: number): Buffer =>
  moved(path, sinceFirst => offsetMs * 1e6 + sinceFirst * driftPpm * 1e-6)

/** The same, whose clock is set by `byMs` so many seconds after its first frame. */
export const stepped = (path: string, byMs: number, afterSeconds: number): Buffer =>
  moved(path, sinceFirst => (sinceFirst >= afterSeconds * 1e9 ? byMs * 1e6 : 0))

/** `by` and what it is given in nanoseconds. */
function moved(path: string, by: (sinceFirst: number) => number): Buffer {
  const bytes = readFileSync(path)
  const unit = bytes.readUInt32LE(0) === NANOSECOND_MAGIC ? 1 : 1000
  let first: number | null = null
  let origin = 0
  for (let at = GLOBAL_HEADER; at + RECORD_HEADER <= bytes.length; at += RECORD_HEADER + bytes.readUInt32LE(at + 8)) {
    if (first === null) origin = bytes.readUInt32LE(at)
    const time = (bytes.readUInt32LE(at) - origin) * 1e9 + bytes.readUInt32LE(at + 4) * unit
    first ??= time
    const moved = time + by(time - first)
    const seconds = Math.floor(moved / 1e9)
    bytes.writeUInt32LE(origin + seconds, at)
    bytes.writeUInt32LE(Math.floor((moved - seconds * 1e9) / unit), at + 4)
  }
  return bytes
}
