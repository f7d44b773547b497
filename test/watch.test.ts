/** Looking on while a capture is read: what comes when, and that it is the same as what is told at the end. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { describe, expect, test, vi } from 'vitest'
import { analyze, type Options } from '../src/analyze.ts'
import { Patience } from '../src/input/patience.ts'
import type { LookupRecord } from '../src/report/record-types.ts'
import type { Glance } from '../src/report/report-types.ts'
import { screenLines } from '../src/report/screen.ts'
import { glanceText } from '../src/report/text/glance.ts'
import { clip, FullScreen } from '../src/terminal.ts'
import { watch, watchIntervals, watchLookups } from '../src/watch.ts'
import { GLANCE, WATCHED } from './fixtures/report.ts'
import { flowLine, flowTime, recordLine } from './flow-log.ts'

const SAMPLES = fileURLToPath(new URL('../samples', import.meta.url))
const captures = readdirSync(SAMPLES)
  .filter(name => name.endsWith('.pcap'))
  .map(name => join(SAMPLES, name))

const optionsOf = (file: string, stdin?: Readable): Options => ({
  files: [file],
  filters: { namespace: null, pod: null, name: null, since: null, until: null },
  hints: { resources: null, roles: [], resolvConf: null, clusterDomain: null },
  ...(stdin ? { stdin } : {}),
})

const START = 1_795_000_000

/** A query and its answer 2 ms later. */
const asked = (second: number, name: string) =>
  [false, true]
    .map(response =>
      recordLine({
        seconds: START + second,
        nanos: response ? 2e6 : 0,
        from: response ? '10.8.3.5' : '10.8.1.21',
        to: response ? '10.8.1.21' : '10.8.3.5',
        fromPort: response ? 53 : 40_000,
        toPort: response ? 40_000 : 53,
        response,
        query: name,
        qtype: 'A',
        ips: ['10.96.0.1'],
      }),
    )
    .join('\n')
    .concat('\n')

/** A promise that others keep. */
function deferred<Value>() {
  let resolve: (value: Value) => void = () => {}
  const promise = new Promise<Value>(keep => {
    resolve = keep
  })
  return { promise, resolve }
}

/** A pipe that nobody closes. */
const pipe = () => new Readable({ read() {} })

describe('as soon as it is over', () => {
  test('a lookup is told while the pipe goes on', async () => {
    const stdin = pipe()
    const told: string[] = []
    const first = deferred<void>()
    const report = watchLookups(optionsOf('-', stdin), lookup => {
      told.push(lookup.name)
      first.resolve()
    })
    stdin.push(asked(0, 'one.example'))
    stdin.push(asked(20, 'two.example'))
    await first.promise
    expect(told).toEqual(['one.example'])
    stdin.push(null)
    expect((await report).totals.lookups).toBe(2)
    expect(told).toEqual(['one.example', 'two.example'])
  })

  test('and when nothing comes any more: the time goes on without it', { timeout: 15_000 }, async () => {
    const stdin = pipe()
    const told = deferred<LookupRecord>()
    const report = watchLookups(optionsOf('-', stdin), told.resolve)
    stdin.push(asked(0, 'one.example'))
    expect(await told.promise).toMatchObject({ name: 'one.example', outcome: 'answered', waitMs: 2 })
    stdin.push(null)
    await report
  })

  test.each(captures)('%s gives the same lookups', async file => {
    // Which of several names was meant is guessed from what was learned so far, and a file teaches all of it first.
    const key = ({ start, client, candidates, outcome, waitMs, queries }: LookupRecord) =>
      `${start} ${client.address} ${candidates.map(c => c.name).join(' ')} ${outcome} ${waitMs} ${queries}`
    const live: string[] = []
    await watchLookups(optionsOf(file), lookup => live.push(key(lookup)))
    const whole: string[] = []
    await analyze(optionsOf(file), { lookup: lookup => whole.push(key(lookup)) })
    expect(live.sort()).toEqual(whole.sort())
  })
})

describe('spans', () => {
  test.each(captures)('together they are the whole: %s', async file => {
    const glances: Glance[] = []
    const report = await watchIntervals(optionsOf(file), 1, glance => glances.push(glance))
    const sum = (value: (glance: Glance) => number) => glances.reduce((n, glance) => n + value(glance), 0)
    expect(sum(glance => glance.lookups)).toBe(report.totals.lookups)
    expect(sum(glance => glance.waste.queries)).toBe(report.waste.queries)
    expect(sum(glance => glance.waste.wasted)).toBe(report.waste.wasted)
    for (let i = 1; i < glances.length; i++) expect(glances[i]!.start).toBe(glances[i - 1]!.end)
  })

  test('a long silence is one span, and what Hubble lost stands where it was told', async () => {
    const lost = JSON.stringify({
      lost_events: { source: 'HUBBLE_RING_BUFFER', num_events_lost: '7' },
      node_name: 'node-a',
      time: flowTime(START + 100, 0),
    })
    const stdin = Readable.from([Buffer.from(`${asked(0, 'one.example')}${lost}\n${asked(101, 'two.example')}`)])
    const glances: Glance[] = []
    await watchIntervals(optionsOf('-', stdin), 10, glance => glances.push(glance))
    expect(glances.map(({ seconds, lookups }) => [seconds, lookups])).toEqual([
      [10, 1],
      [90, 0],
      [10, 1],
    ])
    expect(glances.reduce((n, { dropped }) => n + (dropped ?? 0), 0)).toBe(7)
  })

  test('as text they are a column that can be read down', async () => {
    const text = [GLANCE, { ...GLANCE, ...NOTHING }]
      .map(glance => glanceText(glance, { width: 80, color: false }))
      .join('')
    await expect(text).toMatchFileSnapshot('fixtures/glance-80.txt')
    expect(text.split('\n').filter(line => line.length > 80)).toEqual([])
  })
})

const NOTHING = {
  start: '2026-11-21T02:51:10.000000000Z',
  end: '2026-11-21T02:52:40.000000000Z',
  seconds: 90,
  lookups: 0,
  failed: 0,
  dropped: 0,
  edges: [],
  waste: { ...GLANCE.waste, queries: 0, wasted: 0 },
}

describe('the screen', () => {
  test.each([
    [80, 24],
    [120, 40],
  ])('%i columns, %i rows', async (columns, rows) => {
    const lines = screenLines(WATCHED, { columns, rows, color: false })
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot(`fixtures/screen-${columns}.txt`)
    expect(lines.length).toBeLessThanOrEqual(rows)
    expect(lines.filter(line => line.length > columns)).toEqual([])
  })

  test('is never longer than the terminal, and says so while nothing came', () => {
    for (let rows = 1; rows < 60; rows++)
      expect(screenLines(WATCHED, { columns: 80, rows, color: true }).length).toBeLessThanOrEqual(rows)
    const nothing = { ...WATCHED, recent: null, captures: [], failures: [] }
    expect(screenLines(nothing, { columns: 80, rows: 24, color: false })[0]).toContain('nothing came yet')
  })

  test('a name from the wire moves no cursor', () => {
    expect(screenLines(WATCHED, { columns: 120, rows: 40, color: false }).join('')).not.toContain('\x1b')
  })

  test('is seen at any moment', { timeout: 15_000 }, async () => {
    const stdin = pipe()
    const { look, report } = watch(optionsOf('-', stdin))
    expect(look().recent).toBeNull()
    stdin.push(asked(0, 'one.example') + asked(20, 'two.example') + asked(40, 'three.example'))
    await vi.waitFor(() => expect(look().lookups).toBeGreaterThan(0), 10_000)
    expect(look()).toMatchObject({ failed: 0, recent: { outcomes: { answered: look().lookups } } })
    stdin.push(null)
    await report
  })

  test('a line is cut where the terminal ends, and no colour stays on', () => {
    expect(clip('\x1b[31mabcdef\x1b[39m', 3)).toBe('\x1b[31mabc\x1b[39m')
    expect(clip('abcdef', 3)).toBe('abc')
  })

  test('the terminal is left once, and only where it was entered', () => {
    const written: string[] = []
    const screen = new FullScreen({ columns: 10, rows: 2, write: text => written.push(text) })
    screen.leave()
    screen.draw(['one', 'two', 'three'])
    screen.leave()
    screen.leave()
    expect(written).toHaveLength(2)
    expect(written[0]).not.toContain('three')
  })
})

test('a quiet pipe is not waited for for ever, and loses nothing', async () => {
  const pushed = deferred<Buffer>()
  async function* chunks() {
    yield Buffer.from('a')
    yield await pushed.promise
  }
  const patience = new Patience(chunks(), 5)
  expect(await patience.next()).toMatchObject({ value: Buffer.from('a') })
  expect(await patience.next()).toBeNull()
  expect(await patience.next()).toBeNull()
  pushed.resolve(Buffer.from('b'))
  expect(await patience.next()).toMatchObject({ value: Buffer.from('b') })
  expect(await patience.next()).toMatchObject({ done: true })
})

test('events that are no DNS move the time of records that wait for their place', async () => {
  const stdin = pipe()
  const told = deferred<string>()
  const report = watchLookups(optionsOf('-', stdin), lookup => told.resolve(lookup.name))
  stdin.push(asked(0, 'one.example'))
  const other = flowLine({
    time: flowTime(START + 30, 0),
    verdict: 'FORWARDED',
    l4: { TCP: { destination_port: 443 } },
  })
  stdin.push(`${other}\n`)
  expect(await told.promise).toBe('one.example')
  stdin.push(null)
  await report
})
