/** Several captures, several clocks: offset and drift are found from what two of them saw, and change nothing that is told. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { type Bounds, fitClock } from '../src/input/clock-fit.ts'
import { jumpsOf, Leaps, type Shared, stepOf } from '../src/input/clock-steps.ts'
import type { FrameRef } from '../src/model.ts'
import { type Analysis, capturesOf, EVERYWHERE, PATIENCE, RECORDINGS, run, scenarios } from './recordings.ts'
import { shifted, stepped } from './shifted.ts'

const hasRecordings = scenarios.length > 0
vi.setConfig({ testTimeout: PATIENCE })
const OUT = mkdtempSync(join(tmpdir(), 'dnstrail-clocks-'))

describe('the fit', () => {
  test('takes the quickest of queries and responses: delays that vary do not matter', () => {
    const fit = fitClock(
      transactions({ count: 600, everyMs: 100, offsetMs: 37, driftPpm: 20, delayMs: 0.4, jitterMs: 5 }),
    )!
    expect(fit.offset / 1e6).toBeCloseTo(37 + 20e-3 * 30, 1)
    expect(fit.drift! * 1e6).toBeGreaterThan(20 - fit.driftUncertainty! * 1e6)
    expect(fit.drift! * 1e6).toBeLessThan(20 + fit.driftUncertainty! * 1e6)
    expect(fit.apart).toBe(true)
  })

  test('says how much a network that is slower in one direction could hide', () => {
    const fit = fitClock(
      transactions({ count: 600, everyMs: 100, offsetMs: 0, driftPpm: 0, delayMs: 2, jitterMs: 0.1 }),
    )!
    expect(fit.uncertainty / 1e6).toBeGreaterThan(2)
    expect(fit.uncertainty / 1e6).toBeLessThan(2.2)
    expect(fit.apart).toBe(false)
  })

  test('does not call a clock apart whose offset hides in the delay', () => {
    const fit = fitClock(
      transactions({ count: 600, everyMs: 100, offsetMs: 1, driftPpm: 0, delayMs: 2, jitterMs: 0.1 }),
    )!
    expect(fit.offset / 1e6).toBeCloseTo(1, 1)
    expect(fit.apart).toBe(false)
  })

  test('knows no drift from a few transactions, and nothing from two', () => {
    const few = { everyMs: 100, offsetMs: 500, driftPpm: 0, delayMs: 1, jitterMs: 1 }
    expect(fitClock(transactions({ count: 10, ...few }))).toMatchObject({
      drift: null,
      driftUncertainty: null,
      apart: true,
    })
    expect(fitClock(transactions({ count: 2, ...few }))).toBeNull()
  })

  test('tells a clock that was set from one that drifts', () => {
    const before = transactions({ count: 300, everyMs: 100, offsetMs: 0, driftPpm: 0, delayMs: 1, jitterMs: 1 })
    const after = transactions({ count: 300, everyMs: 100, offsetMs: 800, driftPpm: 0, delayMs: 1, jitterMs: 1 })
    const set = [...before, ...after.map(b => ({ ...b, time: b.time + 30e9 }))]
    expect(fitClock(set)!.uneven).toBe(true)
    expect(fitClock(before)!.uneven).toBe(false)
  })
})

/** What two captures share; the frames of both are numbered through. */
const sharedOf = (bounds: Bounds[]): Shared[] => bounds.map((b, i) => ({ ...b, frames: [i + 1, i + 1] as const }))

describe('a clock that was set', () => {
  const even = { everyMs: 100, driftPpm: 0, delayMs: 0.4, jitterMs: 3 }
  const later = (bounds: Bounds[], seconds: number): Bounds[] =>
    bounds.map(b => ({ ...b, time: b.time + seconds * 1e9 }))

  test('is two lines, and the step lies between the last transaction before it and the first one after', () => {
    const bounds = sharedOf([
      ...transactions({ count: 300, offsetMs: 5, ...even }),
      ...later(transactions({ count: 40, offsetMs: 42, ...even }), 30),
    ])
    const jumps = jumpsOf(bounds)
    expect(jumps).toHaveLength(1)
    expect(jumps[0].by / 1e6).toBeCloseTo(37, 0)
    expect(jumps[0].before.frames[0]).toBeLessThanOrEqual(300)
    expect(jumps[0].after.frames[0]).toBeGreaterThan(300)
    expect(jumps[0].after.frames[0] - jumps[0].before.frames[0]).toBeLessThan(5)
  })

  test('may drift besides, and be set twice', () => {
    const drifting = { ...even, driftPpm: 20 }
    const bounds = sharedOf([
      ...transactions({ count: 400, offsetMs: 0, ...drifting }),
      ...later(transactions({ count: 400, offsetMs: 800.8, ...drifting }), 40),
      ...later(transactions({ count: 400, offsetMs: -98.4, ...drifting }), 80),
    ])
    expect(jumpsOf(bounds).map(({ by }) => Math.round(by / 1e6))).toEqual([800, -900])
  })

  test('is told from one that drifts, and from one that runs unevenly', () => {
    expect(jumpsOf(sharedOf(transactions({ count: 600, offsetMs: 37, ...even, driftPpm: 50 })))).toEqual([])
    const slewed = transactions({ count: 900, offsetMs: 0, ...even }).map(b => {
      const ahead = 20e6 * Math.sin(b.time / 10e9)
      return { time: b.time, low: b.low + ahead, high: b.high + ahead }
    })
    expect(jumpsOf(sharedOf(slewed))).toEqual([])
  })

  test('which of two was set the times of their own messages tell', () => {
    const bounds = sharedOf([
      ...transactions({ count: 100, offsetMs: 0, ...even }),
      ...later(transactions({ count: 100, offsetMs: 500, ...even }), 10),
    ])
    const [jump] = jumpsOf(bounds)
    const steady = new Leaps()
    const forward = new Leaps()
    const back = new Leaps()
    for (let frame = 1; frame <= 200; frame++) {
      steady.add(frame, frame * 100e6)
      forward.add(frame, frame * 100e6 + (frame > 100 ? 500e6 : 0))
      back.add(frame, frame * 100e6 - (frame > 100 ? 500e6 : 0))
    }
    expect(stepOf(jump, [steady, forward])).toMatchObject({ which: 1, step: { frame: 101, at: 100 * 100e6 } })
    expect(stepOf(jump, [back, steady])).toMatchObject({ which: 0, step: { frame: 101, at: 100 * 100e6 } })
    expect(stepOf(jump, [back, steady]).step.by / 1e6).toBeCloseTo(-500, 0)
  })
})

interface Path {
  count: number
  everyMs: number
  offsetMs: number
  driftPpm: number
  delayMs: number
  jitterMs: number
}

/** What a client's and a server's capture say of each transaction, with delays that look random and are the same in every run. */
function transactions({ count, everyMs, offsetMs, driftPpm, delayMs, jitterMs }: Path): Bounds[] {
  let state = 1
  const delay = (): number => {
    state = (state * 48271) % 0x7fff_ffff
    return delayMs * 1e6 - Math.log(1 - state / 0x7fff_ffff) * jitterMs * 1e6
  }
  return Array.from({ length: count }, (_, i) => {
    const time = i * everyMs * 1e6
    const ahead = offsetMs * 1e6 + driftPpm * 1e-6 * time
    return { time, low: ahead - delay(), high: ahead + delay() }
  })
}

/**
 * Everything but times and durations, with frames in place of ids: which of two that begin within a microsecond at two nodes is the
 * first, no clock can tell.
 */
function told({ lookups, hops }: Analysis): string[] {
  const places = new Map<string, string>()
  for (const { id, frames } of [...lookups, ...hops]) places.set(id, frames.map(placeOf).sort()[0])
  return [...lookups, ...hops]
    .map(record =>
      JSON.stringify({ ...record, frames: record.frames.map(placeOf).sort() }, (key, value) => {
        if (/^(start|end|\w+Ms)$/.test(key)) return undefined
        return typeof value === 'string' && /^[LT]\d+$/.test(value) ? places.get(value) : value
      }),
    )
    .sort()
}

const placeOf = ({ file, number }: FrameRef): string => `${basename(file)} ${number}`

describe.skipIf(!hasRecordings)('10-busy from four vantage points, of which one has a wrong clock', () => {
  const folder = join(RECORDINGS, '10-busy')
  const files = ['node-a-any.pcap', 'node-b-any.pcap', 'upstream-up53-eth0.pcap', 'upstream-up54-eth0.pcap']
  const right = hasRecordings ? run(files.map(file => join(folder, file))) : null

  for (const wrong of files) {
    test(`${wrong}: 37 ms and 20 ppm are found, and everything is told as without`, async () => {
      writeFileSync(join(OUT, wrong), shifted(join(folder, wrong), 37, 20))
      const analysis = await run(files.map(file => join(file === wrong ? OUT : folder, file)))
      const clocks = analysis.report.captures.map(({ clock }) => clock!)
      // The first capture's clock counts, right or wrong.
      const corrected = wrong === files[0] ? clocks.slice(1) : [clocks[files.indexOf(wrong)]]
      const sign = wrong === files[0] ? -1 : 1
      for (const { offsetMs, driftPpm } of corrected) {
        expect(Math.abs(offsetMs! - sign * 37)).toBeLessThan(0.2)
        expect(Math.abs(driftPpm! - sign * 20)).toBeLessThan(2)
      }
      expect(clocks.filter(({ corrected }) => corrected)).toEqual(corrected)
      expect(told(analysis)).toEqual(told((await right)!))
    })
  }
})

describe.skipIf(!hasRecordings)('10-busy from four vantage points, of which one clock was set meanwhile', () => {
  const folder = join(RECORDINGS, '10-busy')
  const files = ['node-a-any.pcap', 'node-b-any.pcap', 'upstream-up53-eth0.pcap', 'upstream-up54-eth0.pcap']
  const right = hasRecordings ? run(files.map(file => join(folder, file))) : null

  test.each([
    ['node-b-any.pcap', 800],
    ['node-b-any.pcap', -2000],
    ['node-a-any.pcap', -700],
    ['node-a-any.pcap', 60_000],
    ['upstream-up53-eth0.pcap', 37],
  ])('%s by %d ms: that is found, and everything is told as without', async (wrong, ms) => {
    const seconds = (await right)!.report.totals.seconds
    const path = join(mkdtempSync(join(OUT, 'set-')), wrong)
    writeFileSync(path, stepped(join(folder, wrong), ms, seconds / 3))
    const analysis = await run(files.map(file => (file === wrong ? path : join(folder, file))))
    const { captures, quality } = analysis.report
    const steps = captures.map(({ clock }) => clock!.steps)
    expect(steps.map(({ length }) => length)).toEqual(files.map(file => Number(file === wrong)))
    expect(Math.abs(steps[files.indexOf(wrong)]![0]!.ms - ms)).toBeLessThan(0.5)
    expect(captures.map(({ clock }) => clock!.note)).toEqual(files.map(() => null))
    expect(quality.remarks.join(' ')).not.toContain('stepped back')
    expect(told(analysis)).toEqual(told((await right)!))
  })
})

describe.skipIf(!hasRecordings)('the recordings have one clock', () => {
  for (const scenario of scenarios) {
    test(scenario, async () => {
      const { report } = await run(capturesOf(scenario, EVERYWHERE))
      for (const { file, clock } of report.captures) {
        expect(clock?.corrected, file).toBe(false)
        if (clock?.offsetMs == null) continue
        expect(Math.abs(clock.offsetMs), file).toBeLessThanOrEqual(clock.uncertaintyMs! + 0.01)
        expect(clock.note, file).toBeNull()
      }
    })
  }
})
