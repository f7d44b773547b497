// @ts-check
/**
 * Damaged captures for fuzz.js: the same seed gives the same bytes. Half of them are files with bytes changed anywhere, so that
 * containers and compressions are hit; half hold frames of one capture, changed within and among themselves, in a sound pcapng.
 */
import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { randomSource } from '../bench/random.js'

/**
 * @typedef {object} Frame
 * @property {number} linkType
 * @property {number} seconds
 * @property {number} nanos
 * @property {number} wireLength
 * @property {Buffer} bytes
 *
 * @typedef {object} Seed a capture to start from
 * @property {string} path
 * @property {Buffer} bytes
 * @property {Frame[]} frames none where it cannot be read
 *
 * @typedef {object} Mutant
 * @property {string} origin what was done to which capture
 * @property {Buffer} bytes
 * @property {Buffer | null} twin the same frames among other bytes: whoever reads outside of a frame reads something else there
 *
 * @typedef {(below: number) => number} Random
 */

const LARGEST_FILE = 40_000
const MOST_FRAMES = 120
/** Header fields stand in here. */
const NEAR = 110

/** @param {number} seed @returns {Random} */
function randomFrom(seed) {
  const next = randomSource(seed)
  return below => (below < 2 ? 0 : next() % below)
}

/** @param {string[]} folders @returns {string[]} every file in them, in one order everywhere */
export const filesIn = folders =>
  folders.flatMap(folder =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .map(name => join(folder, name))
      .filter(path => statSync(path).isFile() && !/\.(md|txt|tsv)$/.test(path))
      .sort(),
  )

/** @param {string} path */
function beginningOf(path) {
  const bytes = Buffer.alloc(LARGEST_FILE)
  const file = openSync(path, 'r')
  const length = readSync(file, bytes)
  closeSync(file)
  return bytes.subarray(0, length)
}

/** @param {number} seed @param {string[]} paths @param {(path: string) => Promise<Frame[]>} framesOf @returns {Promise<Mutant>} */
export async function mutant(seed, paths, framesOf) {
  const random = randomFrom(seed)
  const load = async () => {
    const path = paths[random(paths.length)]
    const bytes = beginningOf(path)
    return { path, bytes, frames: random(2) === 0 ? await framesOf(path) : [] }
  }
  const one = await load()
  const other = await load()
  return one.frames.length > 0 ? framesMutant(one, other, random) : fileMutant(one, other, random)
}

// -- Bytes ------------------------------------------------------------------------------------------------------------------------

const LIES = [0, 1, 2, 3, 4, 7, 8, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xfe, 0xff]
const LONG_LIES = [0, 1, 4, 11, 12, 0x7f, 0xff, 0x100, 0x7fff, 0x8000, 0xc00c, 0xfffe, 0xffff]

/** Somewhere in the bytes, most often near their beginning. @param {Buffer} bytes @param {Random} random */
const place = (bytes, random) => random(random(3) === 0 ? bytes.length : Math.min(bytes.length, NEAR))

/** @type {((bytes: Buffer, other: Buffer, random: Random) => Buffer)[]} */
const CHANGES = [
  function flipBit(bytes, _, random) {
    bytes[place(bytes, random)] ^= 1 << random(8)
    return bytes
  },
  function setByte(bytes, _, random) {
    bytes[place(bytes, random)] = random(2) === 0 ? LIES[random(LIES.length)] : random(256)
    return bytes
  },
  function lie16(bytes, _, random) {
    const at = place(bytes, random)
    if (at + 2 > bytes.length) return bytes
    const rest = bytes.length - at
    const value = random(2) === 0 ? LONG_LIES[random(LONG_LIES.length)] : Math.max(0, rest - 3 + random(6))
    if (random(2) === 0) bytes.writeUInt16BE(value & 0xffff, at)
    else bytes.writeUInt16LE(value & 0xffff, at)
    return bytes
  },
  function lie32(bytes, _, random) {
    const at = place(bytes, random) & ~3
    if (at + 4 > bytes.length) return bytes
    const value = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, bytes.length, bytes.length - at, 262_144][random(8)]
    if (random(2) === 0) bytes.writeUInt32BE(value, at)
    else bytes.writeUInt32LE(value, at)
    return bytes
  },
  function cutEnd(bytes, _, random) {
    return bytes.subarray(0, random(bytes.length + 1))
  },
  function takeOut(bytes, _, random) {
    const at = place(bytes, random)
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random(24))])
  },
  function repeat(bytes, _, random) {
    const at = place(bytes, random)
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at, at + 1 + random(64)), bytes.subarray(at)])
  },
  function splice(bytes, other, random) {
    const at = place(bytes, random)
    return Buffer.concat([bytes.subarray(0, at), other.subarray(random(3) === 0 ? random(other.length) : at)])
  },
  function putIn(bytes, other, random) {
    const at = place(bytes, random)
    const from = place(other, random)
    return Buffer.concat([bytes.subarray(0, at), other.subarray(from, from + random(200)), bytes.subarray(at)])
  },
]

/** @param {Buffer} bytes @param {Buffer} other @param {Random} random @param {number} count */
function changed(bytes, other, random, count) {
  /** @type {Buffer} */
  let result = Buffer.from(bytes)
  const done = []
  for (let n = 0; n < count && result.length > 0; n++) {
    const change = CHANGES[random(CHANGES.length)]
    done.push(change.name)
    result = change(result, other, random)
  }
  return { bytes: result, done }
}

// -- Files ------------------------------------------------------------------------------------------------------------------------

/** @param {Seed} one @param {Seed} other @param {Random} random @returns {Mutant} */
function fileMutant(one, other, random) {
  const { bytes, done } = changed(one.bytes, other.bytes, random, 1 + random(8))
  return { origin: `${one.path}: ${done.join(', ')}`, bytes, twin: null }
}

// -- Frames -----------------------------------------------------------------------------------------------------------------------

/** @param {Seed} one @param {Seed} other @param {Random} random @returns {Mutant} */
function framesMutant(one, other, random) {
  const from = random(3) === 0 ? random(one.frames.length) : 0
  const frames = one.frames.slice(from, from + 1 + random(MOST_FRAMES)).map(frame => ({ ...frame }))
  const strangers = other.frames.length > 0 ? other.frames : one.frames
  const done = new Set()
  const rate = [4, 10, 50][random(3)]
  for (const frame of frames) {
    if (random(rate) > 0) continue
    const result = changed(frame.bytes, strangers[random(strangers.length)].bytes, random, 1 + random(3))
    frame.bytes = result.bytes
    // Else the snap length has cut it, or the wire is said to have had less than was captured.
    if (random(3) > 0) frame.wireLength = frame.bytes.length
    else if (random(4) === 0) frame.wireLength = random(70_000)
    for (const name of result.done) done.add(name)
  }
  for (let n = random(6); n > 0; n--) done.add(shuffle(frames, strangers, random))
  return {
    origin: `${one.path}, ${frames.length} frames from ${from + 1}: ${[...done].join(', ')}`,
    bytes: pcapng(frames, 0),
    twin: pcapng(frames, 0xaa),
  }
}

/** @param {Frame[]} frames @param {Frame[]} strangers @param {Random} random */
function shuffle(frames, strangers, random) {
  const at = random(frames.length)
  const frame = frames[at]
  switch (random(7)) {
    case 0:
      frames.splice(random(frames.length + 1), 0, ...frames.splice(at, 1 + random(5)))
      return 'order'
    case 1:
      frames.splice(at, 0, ...Array.from({ length: 1 + random(3) }, () => ({ ...frame })))
      return 'copies'
    case 2:
      if (frames.length > 1) frames.splice(at, 1 + random(frames.length - 1))
      return 'losses'
    case 3:
      frame.seconds += [-1, 1, 6, 3600, -86_400, 2 ** 31, -(2 ** 33)][random(7)]
      return 'time'
    case 4:
      for (const later of frames.slice(at)) later.seconds += random(200) - 20
      return 'times'
    case 5:
      frame.linkType = [0, 1, 9, 12, 50, 51, 101, 108, 113, 129, 149, 228, 229, 239, 258, 276, 77][random(17)]
      return 'link type'
    default:
      frames.splice(at, 0, { ...strangers[random(strangers.length)], seconds: frame.seconds, nanos: frame.nanos })
      return 'stranger'
  }
}

/** An interface per link type; behind every frame an option full of `filling`. @param {Frame[]} frames @param {number} filling */
export function pcapng(frames, filling) {
  const linkTypes = [...new Set(frames.map(({ linkType }) => linkType))]
  const poison = Buffer.alloc(72, filling)
  poison.writeUInt16LE(0x8bad, 0)
  poison.writeUInt16LE(68, 2)
  return Buffer.concat([
    block(0x0a0d0d0a, words(0x1a2b3c4d, 1, 0xffff_ffff, 0xffff_ffff)),
    ...linkTypes.map(linkType => block(1, words(linkType, 0), Buffer.from([9, 0, 1, 0, 9, 0, 0, 0]))),
    ...frames.map(({ linkType, seconds, nanos, wireLength, bytes }) => {
      const time = BigInt.asUintN(64, BigInt(seconds) * 1_000_000_000n + BigInt(nanos))
      const low = Number(time & 0xffff_ffffn)
      const head = words(linkTypes.indexOf(linkType), Number(time >> 32n), low, bytes.length, wireLength)
      return block(6, head, bytes, Buffer.alloc(-bytes.length & 3, filling), poison)
    }),
  ])
}

/** @param {number[]} values */
const words = (...values) => {
  const bytes = Buffer.alloc(4 * values.length)
  values.forEach((value, i) => void bytes.writeUInt32LE(value >>> 0, 4 * i))
  return bytes
}

/** @param {number} type @param {Buffer[]} parts */
function block(type, ...parts) {
  const body = Buffer.concat(parts)
  return Buffer.concat([words(type, body.length + 12), body, words(body.length + 12)])
}
