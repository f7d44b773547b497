// @ts-check
/**
 * What must hold for any bytes at all: nothing throws but the user's mistake, every frame is counted once, every query is needed or
 * wasted, numbers are numbers, and neither the size of chunks nor the bytes beside a frame show.
 */
import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { randomSource } from '../bench/random.js'

/** @typedef {import('./fuzz-mutate.js').Frame} Frame */

/**
 * The parts of dnstrail, from dist/ or from src/.
 * @typedef {object} Program
 * @property {(options: any, sinks: any) => Promise<any>} analyze
 * @property {(options: any, sink: (record: any) => void) => Promise<any[]>} messages
 * @property {(report: any, options: { width: number, color: boolean }) => string} reportText
 * @property {typeof import('../src/report/what-if/record.ts').whatIfOf} whatIfOf
 * @property {(whatIf: any, options: { width: number, color: boolean }) => string} whatIfText
 * @property {typeof import('../src/input/merge.ts').readCaptures} readCaptures
 * @property {typeof import('../src/wire/tables.ts').newTables} newTables
 * @property {typeof import('../src/wire/messages.ts').newMessages} newMessages
 * @property {typeof import('../src/wire/issues.ts').Issues} Issues
 * @property {any} UserError
 */

/** @param {Program} program @param {string} path @returns {Promise<Frame[]>} none where it cannot be read, and no more than some thousand */
export async function framesOf(program, path) {
  /** @type {Frame[]} */
  const frames = []
  const options = {
    keepBytes: false,
    tables: program.newTables(),
    issues: new program.Issues(),
    newDecoder: () => ({
      messages: program.newMessages(1, false),
      decode: (/** @type {import('../src/wire/frame.ts').Frame} */ frame) => {
        const { seconds, nanos, wireLength, linkType, bytes, start, end } = frame
        if (frames.length >= 3000) return
        frames.push({ seconds, nanos, wireLength, linkType, bytes: Buffer.from(bytes.subarray(start, end)) })
      },
      flush: () => {},
    }),
  }
  try {
    await program.readCaptures([path], options, () => {})
  } catch (error) {
    if (!(error instanceof program.UserError)) throw error
  }
  // Lines of a flow log are no frames for our purpose.
  return frames.filter(({ seconds, linkType }) => !Number.isNaN(seconds) && linkType >= 0)
}

/** @param {Program} program @param {Buffer} bytes @param {Buffer | null} twin @param {number} seed */
export async function check(program, bytes, twin, seed) {
  const whole = await messagesOf(program, [bytes])
  const pieces = await messagesOf(program, chunksOf(bytes, seed))
  // Where damage ends the unpacking, what stood in the same chunk before it may be lost: one has the beginning of the other.
  if (whole.compressed || pieces.compressed) {
    const both = Math.min(whole.records.length, pieces.records.length)
    assert.deepEqual(pieces.records.slice(0, both), whole.records.slice(0, both), 'the size of chunks shows')
  } else assert.deepEqual(pieces, whole, 'the size of chunks shows')
  if (twin) assert.deepEqual(await messagesOf(program, [twin]), whole, 'bytes beside a frame show')
  await analysis(program, bytes)
}

/** @param {Program} program @param {() => Promise<void>} call @returns {Promise<boolean>} false: the user's mistake */
async function succeeds(program, call) {
  try {
    await call()
    return true
  } catch (error) {
    if (error instanceof program.UserError) return false
    throw error
  }
}

const optionsFor = (/** @type {Buffer[]} */ chunks) => ({
  files: ['-'],
  filters: { namespace: null, pod: null, name: null, since: null, until: null },
  hints: { resources: null, roles: [], resolvConf: null, clusterDomain: null },
  stdin: Readable.from(chunks),
})

/** @param {Program} program @param {Buffer[]} chunks */
async function messagesOf(program, chunks) {
  const all = { records: /** @type {string[]} */ ([]), captures: '', compressed: false }
  await succeeds(program, async () => {
    const captures = await program.messages(optionsFor(chunks), record => all.records.push(json(record)))
    for (const capture of captures) countedOnce(capture)
    all.captures = json(captures)
    all.compressed = captures[0].compression !== null
  })
  return all
}

/** @param {Program} program @param {Buffer} bytes */
async function analysis(program, bytes) {
  /** @type {any[]} */
  const lookups = []
  /** @type {any[]} */
  let replayed = []
  await succeeds(program, async () => {
    const report = await program.analyze(optionsFor([bytes]), {
      lookup: (/** @type {any} */ lookup) => {
        json(lookup)
        lookups.push(lookup)
      },
      hop: json,
      finished: (/** @type {any} */ trace, /** @type {any} */ context) => {
        replayed = CHANGES.map(change => program.whatIfOf(trace, context, change))
      },
    })
    json(report)
    for (const whatIf of replayed) whatIfHolds(program, whatIf, report)
    program.reportText(report, { width: 80, color: false })
    for (const capture of report.captures) countedOnce(capture)
    const { queries, needed, wasted, search, fanOut, retransmission, truncation, family } = report.waste
    assert.equal(wasted, search + fanOut + retransmission + truncation + family, 'wasted = its five kinds')
    assert.equal(queries, needed + wasted, 'queries = needed + wasted')
    assert.equal(lookups.length, report.totals.lookups, 'lookups printed = lookups counted')
    const sum = lookups.reduce((n, lookup) => n + lookup.queries, 0)
    assert.equal(sum, queries, 'the lookups have all queries')
  })
}

const NO_CHANGE = { ndots: null, trailingDot: [], dropSuffix: [], autopath: false, nodeLocalCache: false }
const CHANGES = [
  NO_CHANGE,
  { ...NO_CHANGE, ndots: 0 },
  { ...NO_CHANGE, ndots: 15 },
  { ...NO_CHANGE, autopath: true, nodeLocalCache: true },
]

/** @param {Program} program @param {any} whatIf @param {any} report */
function whatIfHolds(program, whatIf, report) {
  json(whatIf)
  program.whatIfText(whatIf, { width: 80, color: false })
  const { before, after, workloads } = whatIf
  const partial = leftOut(whatIf.unknown)
  assert.equal(
    before.lookups + partial,
    report.totals.lookups,
    'the replay has all lookups, or says how many it left out',
  )
  if (partial === 0) assert.equal(before.queries, report.waste.queries, 'the replay has all queries')
  assert.equal(after.lookups, before.lookups, 'a change makes no lookup')
  assert.ok(after.queries >= 0 && after.waitMs >= 0, 'nothing costs less than nothing')
  const sum = workloads.reduce((/** @type {number} */ n, /** @type {any} */ row) => n + row.before.queries, 0)
  assert.equal(sum, before.queries, 'the workloads have all queries')
  if (json(whatIf.change) === json(NO_CHANGE)) assert.deepEqual(after, before, 'no change changes nothing')
}

/** How many lookups a replay says that it left out, as a part of them was not captured. @param {string[]} sentences */
function leftOut(sentences) {
  const said = sentences.find(sentence => sentence.endsWith(': left out.'))
  return said ? Number(said.split(' ')[0].replaceAll(',', '')) : 0
}

/** @param {any} capture */
function countedOnce({ frames, dnsFrames, partFrames, otherFrames, issueFrames }) {
  assert.equal(frames, dnsFrames + partFrames + otherFrames + issueFrames, 'frames = dns + part + other + issue')
}

/** JSON would hide what is no number. @param {unknown} value */
const json = value =>
  JSON.stringify(value, (key, part) => {
    if (typeof part === 'number' && !Number.isFinite(part)) assert.fail(`${key} is ${part}`)
    if (part === undefined) assert.fail(`${key} is undefined`)
    return part
  })

/** @param {Buffer} bytes @param {number} seed */
function chunksOf(bytes, seed) {
  const next = randomSource(seed ^ 0x5eed)
  const largest = [3, 40, 700, 5000, 70_000][next() % 5]
  const chunks = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + (next() % largest)
    // A copy: a chunk may be overwritten when it is used up.
    chunks.push(Buffer.from(bytes.subarray(at, end)))
    at = end
  }
  return chunks
}
