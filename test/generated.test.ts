/**
 * Lookups of a busy cluster, generated with what the applications asked (bench/generate.js): pods that look up hundreds of names at once,
 * often one name several times, with some messages lost. No recording has so many at once.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { type Asked, generate, START_SECONDS } from '../bench/generate.js'
import { analyze } from '../src/analyze.ts'
import type { HopRecord, LookupRecord } from '../src/report/record-types.ts'

const directory = mkdtempSync(join(tmpdir(), 'dnstrail-generated-'))
afterAll(() => rmSync(directory, { recursive: true }))

/** Nanoseconds between a program's clock and the capture's, which has microseconds. */
const SLACK = 100e3

const sinceStart = (time: string): number =>
  (Date.parse(`${time.slice(0, 19)}Z`) / 1000 - START_SECONDS) * 1e9 + Number(time.slice(20, 29))

interface Score {
  asked: number
  told: number
  found: number
  wrongOutcome: number
  /** Found with a wait that is more than a millisecond off. */
  wrongWait: number
  labelled: number
  wrongLabel: number
  /** What forwarders asked, as far as it is known why, and what was told of another client. */
  forwarded: number
  wrongCause: number
}

/** Leaves out one frame in so many, as a capturing machine does that can't keep up. */
function thin(file: string, oneIn: number): void {
  const bytes = readFileSync(file)
  const parts = [bytes.subarray(0, 24)]
  let random = 1
  for (let at = 24; at < bytes.length; ) {
    const end = at + 16 + bytes.readUInt32LE(at + 8)
    random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0
    if (random >= 0x1_0000_0000 / oneIn) parts.push(bytes.subarray(at, end))
    at = end
  }
  writeFileSync(file, Buffer.concat(parts))
}

/** Each lookup finds the call of its client for its name that began when it did. */
async function scoreOf(options: Parameters<typeof generate>[1], lostOneIn: number | null = null): Promise<Score> {
  const file = join(directory, 'capture.pcap')
  const truth: Asked[] = []
  generate(file, { ...options, truth })
  if (lostOneIn !== null) thin(file, lostOneIn)
  const calls = new Map<string, Asked[]>()
  for (const call of truth) {
    const key = `${call.client} ${call.name}`
    calls.set(key, [...(calls.get(key) ?? []), call])
  }
  const score: Score = {
    asked: truth.length,
    told: 0,
    found: 0,
    wrongOutcome: 0,
    wrongWait: 0,
    labelled: 0,
    wrongLabel: 0,
    forwarded: 0,
    wrongCause: 0,
  }
  const found = new Set<Asked>()
  const take = (lookup: LookupRecord): void => {
    score.told++
    const start = sinceStart(lookup.start)
    const distance = (call: Asked): number => Math.abs(call.start - start)
    const [call] = [lookup.name, ...lookup.alternatives]
      .flatMap(name => calls.get(`${lookup.client.address} ${name}`) ?? [])
      .filter(call => distance(call) < SLACK && !found.has(call))
      .sort((a, b) => distance(a) - distance(b))
    if (call === undefined) return
    found.add(call)
    score.found++
    if (lookup.resolver !== null) {
      score.labelled++
      if (lookup.resolver !== call.resolver) score.wrongLabel++
    }
    if (call.end === null) return
    const isUntold = lookup.outcome === 'not-captured' || lookup.outcome === 'capture-ended'
    if (lookup.outcome !== call.outcome && !(lostOneIn !== null && isUntold)) score.wrongOutcome++
    if (lookup.waitMs !== null && Math.abs((call.end - call.start) / 1e6 - lookup.waitMs) > 1) score.wrongWait++
  }
  const portOf = new Map<string, number>()
  const whys = new Map(
    truth.flatMap(({ forwarded }) => forwarded.map(({ time, clientPort }) => [Math.round(time / 1e3), clientPort])),
  )
  const takeHop = ({ id, from, start, causedBy }: HopRecord): void => {
    portOf.set(id, from.port)
    const port = whys.get(Math.round(sinceStart(start) / 1e3))
    if (causedBy.length === 0 || port === undefined) return
    score.forwarded++
    if (causedBy.every(cause => portOf.get(cause) !== port)) score.wrongCause++
  }
  const filters = { namespace: null, pod: null, name: null, since: null, until: null }
  const hints = { resources: null, roles: [], resolvConf: null, clusterDomain: null }
  await analyze({ files: [file], filters, hints }, { lookup: take, hop: takeHop })
  return score
}

describe('generated captures', () => {
  test.each([
    ['at a CoreDNS pod of 300 clients', { shape: 'pod', frames: 60_000, seed: 101 }],
    ['ten clients, each with 150 lookups a second', { shape: 'pod', frames: 60_000, seed: 102, pods: 10 }],
    ['thirty names', { shape: 'pod', frames: 60_000, seed: 103, names: 30 }],
    ['on a node, all interfaces', { shape: 'any', frames: 60_000, seed: 104 }],
    ['on a node, ten clients', { shape: 'any', frames: 60_000, seed: 105, pods: 10 }],
  ])('%s', async (_, options) => {
    const score = await scoreOf(options)
    expect(score.found / score.asked).toBeGreaterThan(0.999)
    expect(score.found / score.told).toBeGreaterThan(0.999)
    expect(score.wrongOutcome / score.found).toBeLessThan(0.001)
    // Walks for one name at once may exchange candidates.
    expect(score.wrongWait / score.found).toBeLessThan(0.01)
    expect(score.labelled / score.found).toBeGreaterThan(0.98)
    expect(score.wrongLabel / score.labelled).toBeLessThan(0.02)
    // On a node a segment or a copy of another message may bear the same microsecond.
    expect(score.wrongCause / score.forwarded).toBeLessThan(options.shape === 'any' ? 0.03 : 0.005)
  })

  test('of which the capture lost one frame in a hundred', async () => {
    const score = await scoreOf({ shape: 'pod', frames: 60_000, seed: 106, rate: 60 }, 100)
    expect(score.found / score.asked).toBeGreaterThan(0.995)
    expect(score.found / score.told).toBeGreaterThan(0.995)
    expect(score.wrongOutcome / score.found).toBeLessThan(0.002)
    expect(score.wrongWait / score.found).toBeLessThan(0.02)
  })
})
