/** A fast round of the fuzzer; `npm run fuzz -- --minutes N` runs longer, over more captures. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { analyze, messages } from '../src/analyze.ts'
import { readCaptures } from '../src/input/merge.ts'
import { UserError } from '../src/model.ts'
import { reportText } from '../src/report/text.ts'
import { whatIfOf } from '../src/report/what-if/record.ts'
import { whatIfText } from '../src/report/what-if/text.ts'
import { Issues } from '../src/wire/issues.ts'
import { newMessages } from '../src/wire/messages.ts'
import { newTables } from '../src/wire/tables.ts'
import { check, framesOf } from './fuzz-case.js'
import { filesIn, mutant, pcapng } from './fuzz-mutate.js'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const FOUND = join(ROOT, 'test/fixtures/fuzz')
const CASES = 40

const program = {
  analyze,
  messages,
  reportText,
  whatIfOf,
  whatIfText,
  readCaptures,
  newTables,
  newMessages,
  Issues,
  UserError,
}
const samples = filesIn([join(ROOT, 'samples')])

test.each([1, 2, 3])('damaged captures, round %d', { timeout: 60_000 }, async round => {
  for (let seed = round * CASES; seed < (round + 1) * CASES; seed++) {
    const { bytes, twin, origin } = await mutant(seed, samples, path => framesOf(program, path))
    try {
      await check(program, bytes, twin, seed)
    } catch (error) {
      throw new Error(`seed ${seed} (${origin})`, { cause: error })
    }
  }
})

describe('what earlier rounds found', () => {
  const found = existsSync(FOUND) ? readdirSync(FOUND) : []

  test.skipIf(found.length > 0)('nothing so far', () => {})

  test.each(found)('%s', async name => {
    await check(program, readFileSync(join(FOUND, name)), null, 1)
  })
})

describe('the fuzzer itself', () => {
  const path = join(ROOT, 'samples/00-search-chain.pcap')

  test('gives the same bytes for the same seed', async () => {
    const once = await mutant(42, samples, path => framesOf(program, path))
    const again = await mutant(42, samples, path => framesOf(program, path))
    expect(again.bytes.equals(once.bytes)).toBe(true)
    expect(again.origin).toBe(once.origin)
  })

  test('sees a throw, a miscount, and a byte read beside a frame', async () => {
    const frames = await framesOf(program, path)
    const [bytes, twin] = [pcapng(frames, 0), pcapng(frames, 0xaa)]
    await check(program, bytes, twin, 1)
    const broken = (change: Partial<typeof program>) => check({ ...program, ...change }, bytes, twin, 1)
    const miscounted: typeof analyze = async (options, sinks) => {
      const report = await analyze(options, sinks)
      return { ...report, waste: { ...report.waste, needed: report.waste.needed + 1 } }
    }
    await expect(broken({ analyze: miscounted })).rejects.toThrow('queries = needed + wasted')
    await expect(
      broken({
        reportText: () => {
          throw new TypeError('ours')
        },
      }),
    ).rejects.toThrow('ours')
    let runs = 0
    const nosy: typeof messages = (options, sink) => {
      const run = ++runs
      return messages(options, (record, m, i) => sink(run === 3 ? { ...record, size: 1 } : record, m, i))
    }
    await expect(broken({ messages: nosy })).rejects.toThrow('bytes beside a frame show')
  })
})
