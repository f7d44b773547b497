/** Inputs of which nothing is in the report: one of several that cannot be read, one without a frame. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { run } from '../src/cli.ts'

const FOLDER = mkdtempSync(join(tmpdir(), 'dnstrail-inputs-'))
afterAll(() => rmSync(FOLDER, { recursive: true }))

const GOOD = 'samples/00-search-chain.pcap'
function written(name: string, bytes: Buffer | string): string {
  const file = join(FOLDER, name)
  writeFileSync(file, bytes)
  return file
}
const EMPTY = written('empty.pcap', '')
const TEXT = written('notes.txt', 'only words\n')
const HEADER = written('header.pcap', readFileSync(GOOD).subarray(0, 24))
const MISSING = join(FOLDER, 'missing.pcap')
const LOG = written(
  'flows.json',
  '{"flow":{"time":"2026-11-21T04:13:13Z","IP":{"source":"10.0.0.1","destination":"10.0.0.2"},"node_name":"a","l7":{"type":"REQUEST","dns":{"query":"a.example.","qtypes":["A"]}},"l4":{"UDP":{"source_port":40000,"destination_port":53}},"Type":"L7"}}\n',
)

async function dnstrail(...args: string[]) {
  const out: string[] = []
  const err: string[] = []
  const status = await run(['node', 'dnstrail', ...args], {
    stdin: { isTTY: true },
    stdout: { write: text => out.push(text) },
    stderr: { write: text => err.push(text) },
    env: {},
    onInterrupt: () => {},
  })
  return { status, out: out.join(''), err: err.join('') }
}

const WHY = [
  `${EMPTY} is empty: nothing was captured, or the capture was not copied.`,
  `${TEXT} is a text file, not a packet capture`,
  `There is no file ${MISSING}.`,
  `${FOLDER} is a directory; name the capture files in it.`,
]
const BAD = [EMPTY, TEXT, MISSING, FOLDER]

describe('of several captures, those that cannot be read are left out', () => {
  test('of the report, which says so first', async () => {
    const alone = JSON.parse((await dnstrail(GOOD, '-o', 'json')).out)
    const { status, out, err } = await dnstrail(...BAD.slice(0, 2), GOOD, ...BAD.slice(2), '-o', 'json')
    expect(status).toBe(0)
    const report = JSON.parse(out)
    expect(report.totals).toEqual(alone.totals)
    expect(report.captures.map(({ failure }: { failure: string | null }) => failure === null)).toEqual([
      false,
      false,
      true,
      false,
      false,
    ])
    expect(report.quality.grade).toBe('fair')
    for (const [i, why] of WHY.entries()) {
      expect(report.quality.remarks[i]).toContain(`Left out: ${why}`)
      expect(err.split('\n')[i]).toContain(`dnstrail: Left out: ${why}`)
    }
    const text = (await dnstrail(GOOD, EMPTY)).out
    expect(text).toMatch(/^Capture {3}samples\/00-search-chain.pcap: 312 ms/)
    expect(text).toContain('Quality: fair. Left out: ')
  })

  test.each([
    ['lookups', GOOD, EMPTY],
    ['hops', EMPTY, GOOD],
    ['messages', GOOD, EMPTY],
    ['watch', EMPTY, GOOD],
    ['what-if', GOOD, EMPTY, '--ndots', '1'],
    ['show', GOOD, EMPTY, 'google.com'],
    ['compare', '--before', GOOD, '--after', GOOD, EMPTY],
  ])('by %s', async (...args) => {
    const alone = await dnstrail(...args.filter(argument => argument !== EMPTY))
    const { status, out, err } = await dnstrail(...args)
    expect(status).toBe(0)
    expect(err).toBe(`dnstrail: Left out: ${WHY[0]}\n`)
    expect(out.length).toBeGreaterThan(0)
    if (args[0] === 'hops' || args[0] === 'watch') expect(out.split('\n').length).toBe(alone.out.split('\n').length)
  })

  test('and flows are still flows', async () => {
    const lookups = JSON.parse((await dnstrail('lookups', MISSING, LOG, '-o', 'json')).out)
    expect(lookups).toMatchObject([{ name: 'a.example' }])
  })

  test('but where none can be read, nothing is reported', async () => {
    for (const files of [[EMPTY], [MISSING, EMPTY], ['compare', GOOD, MISSING]]) {
      const { status, out, err } = await dnstrail(...files)
      expect({ status, out, lines: err.split('\n').length }).toEqual({ status: 2, out: '', lines: 2 })
    }
  })
})

test('a capture without a frame says so', async () => {
  const { status, out } = await dnstrail(HEADER)
  expect(status).toBe(0)
  expect(out).toContain('Quality: poor. There is not one frame in the capture')
  const both = JSON.parse((await dnstrail(GOOD, HEADER, '-o', 'json')).out)
  expect(both.quality).toEqual({
    grade: 'good',
    remarks: ['There is not one frame in header.pcap.'].map(() =>
      expect.stringMatching(/^There is not one frame in .*header\.pcap\.$/),
    ),
  })
})
