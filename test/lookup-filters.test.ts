/** What `dnstrail lookups` leaves out, and its order. */
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { run } from '../src/cli.ts'
import { chosenLookups, durationOf, type LookupChoice, limitOf } from '../src/report/lookup-choice.ts'
import type { LookupRecord, MessageRecord } from '../src/report/record-types.ts'
import { lookup } from './fixtures/report.ts'

const ALL: LookupChoice = { failed: false, slower: null, wasteful: false, sort: 'start', limit: null }
const NO_WASTE = { ...lookup({ id: 'L' }).waste, search: 0, waitMs: 0 }

const LOOKUPS: LookupRecord[] = [
  lookup({ id: 'L1', outcome: 'answered', waitMs: 43.1 }),
  lookup({ id: 'L2', outcome: 'unanswered', waitMs: 5006, waste: { ...NO_WASTE, retransmission: 1 } }),
  lookup({ id: 'L3', outcome: 'nxdomain', waitMs: 0.2, waste: NO_WASTE }),
  lookup({ id: 'L4', outcome: 'capture-ended', waitMs: null, waste: { ...NO_WASTE, family: 1, waitMs: 2 } }),
  lookup({ id: 'L5', outcome: 'nodata', waitMs: 43.1, waste: NO_WASTE }),
]

function chosen(changes: Partial<LookupChoice>, lookups = LOOKUPS): string {
  const ids: string[] = []
  const choice = chosenLookups({ ...ALL, ...changes }, ({ id }) => ids.push(id))
  for (const record of lookups) choice.add(record)
  choice.end()
  return ids.join(' ')
}

test.each<[Partial<LookupChoice>, string]>([
  [{}, 'L1 L2 L3 L4 L5'],
  [{ failed: true }, 'L2 L3'],
  [{ wasteful: true }, 'L1 L2 L4'],
  [{ slower: 43 }, 'L1 L2 L5'],
  [{ slower: 43.1 }, 'L2'],
  [{ failed: true, wasteful: true }, 'L2'],
  [{ limit: 2 }, 'L1 L2'],
  [{ wasteful: true, limit: 2 }, 'L1 L2'],
  [{ sort: 'wait' }, 'L2 L1 L5 L3 L4'],
  [{ sort: 'waste' }, 'L1 L4 L2 L3 L5'],
  [{ sort: 'wait', limit: 3 }, 'L2 L1 L5'],
  [{ sort: 'waste', limit: 1, failed: true }, 'L2'],
])('%j', (changes, ids) => {
  expect(chosen(changes)).toBe(ids)
})

test('a limit keeps few of many, and the right ones', () => {
  const many = Array.from({ length: 5000 }, (_, i) => lookup({ id: `L${i + 1}`, waitMs: (i * 7919) % 5000 }))
  expect(chosen({ sort: 'wait', limit: 4 }, many).split(' ')).toEqual(
    [...many]
      .sort((a, b) => b.waitMs! - a.waitMs!)
      .slice(0, 4)
      .map(({ id }) => id),
  )
})

test.each([
  ['100ms', 100],
  ['1.5s', 1500],
  ['250us', 0.25],
  ['250 µs', 0.25],
])('%s is a duration', (text, ms) => {
  expect(durationOf(text)).toBe(ms)
})

test.each(['100', 'ms', '-1ms', '1m', ''])('%j is none', text => {
  expect(() => durationOf(text)).toThrow(`"${text}" is no duration such as 100ms, 1.5s or 250us.`)
})

test.each(['0', '-3', '2.5', 'all', ''])('%j is no limit', text => {
  expect(() => limitOf(text)).toThrow(`"${text}" is no number of lookups.`)
})

describe('on the command line', () => {
  async function dnstrail(line: string) {
    const out: string[] = []
    const err: string[] = []
    const status = await run(['node', 'dnstrail', ...line.split(' ')], {
      stdin: { isTTY: true },
      stdout: { write: text => out.push(text) },
      stderr: { write: text => err.push(text) },
      env: {},
      onInterrupt: () => {},
    })
    return { status, out: out.join(''), err: err.join('') }
  }
  const FILE = 'samples/00-search-chain.pcap'

  test('text, csv and ndjson have the same lookups', async () => {
    const flags = `lookups ${FILE} --slower 10ms --sort wait --limit 2`
    const records = (await dnstrail(`${flags} -o ndjson`)).out.trim().split('\n')
    expect(records.map(line => JSON.parse(line).frames[0].number)).toEqual([9, 31])
    expect((await dnstrail(flags)).out.split('\n').map(line => line.trim().split(/ +/).at(-1))).toEqual([
      'frame',
      '9',
      '31',
      '',
    ])
    expect((await dnstrail(`${flags} -o csv`)).out.trim().split('\r\n')).toHaveLength(3)
  })

  test.each([
    ['--name google.com', ['google.com', 'google.com']],
    ['--name GOOGLE.COM.', ['google.com', 'google.com']],
    ['--name com', []],
    ['--name *.com', ['google.com', 'google.com']],
    ['--name *.google.com', []],
    ['--pod 10.244.0.21 --name google.com --until 2026-11-21T04:13:13.6Z', ['google.com']],
    ['--pod 10.244.0.2', []],
  ])('%s', async (flags, names) => {
    const { out } = await dnstrail(`lookups ${FILE} ${flags} -o json`)
    expect(JSON.parse(out).map(({ name }: LookupRecord) => name)).toEqual(names)
  })

  test('messages of a name and of a time', async () => {
    const frames = async (flags: string) =>
      JSON.parse((await dnstrail(`messages ${FILE} ${flags} -o json`)).out).map(({ frame }: MessageRecord) => frame)
    expect(await frames('--name google.com')).toEqual([17, 18, 47, 48, 49, 50])
    expect(await frames('--name google.com --since 2026-11-21T04:13:13.6Z')).toEqual([47, 48, 49, 50])
    expect(await frames('--name *.svc.cluster.local --until 2026-11-21T04:13:13.45Z')).toEqual([3, 4, 5, 6, 7, 8])
    expect((await dnstrail(`messages ${FILE} --since noon`)).status).toBe(2)
  })

  test('a pod goes by whatever it is called', async () => {
    const resources = join(await mkdtemp(join(tmpdir(), 'dnstrail-')), 'pods.json')
    const pod = {
      kind: 'Pod',
      metadata: {
        name: 'cart-48b2ced7a-glpdq',
        namespace: 'shop',
        ownerReferences: [{ kind: 'ReplicaSet', name: 'cart-48b2ced7a', controller: true }],
      },
      spec: {},
      status: { podIP: '10.244.0.21', podIPs: [{ ip: '10.244.0.21' }] },
    }
    await writeFile(resources, JSON.stringify({ kind: 'List', items: [pod] }))
    const lookups = async (wanted: string): Promise<number> =>
      JSON.parse((await dnstrail(`lookups ${FILE} --resources ${resources} --pod ${wanted} -o json`)).out).length
    for (const wanted of [
      'shop/cart-48b2ced7a-glpdq',
      'cart-48b2ced7a-glpdq',
      'cart-48b2ced7a',
      'cart',
      'shop/cart',
      '10.244.0.21',
    ])
      expect([wanted, await lookups(wanted)]).toEqual([wanted, 7])
    for (const wanted of ['car', 'other/cart', 'cart-48b2ced7a-glpd', 'glpdq'])
      expect([wanted, await lookups(wanted)]).toEqual([wanted, 0])
  })

  test('nothing left is said', async () => {
    expect(await dnstrail(`lookups ${FILE} --slower 3s`)).toMatchObject({
      status: 0,
      err: 'dnstrail: no lookup matches the filters.\n',
    })
  })

  test.each([
    [
      '--slower 100',
      `option '--slower <time>' argument '100' is invalid. "100" is no duration such as 100ms, 1.5s or 250us.`,
    ],
    ['--limit no', `option '--limit <count>' argument 'no' is invalid. "no" is no number of lookups.`],
    ['--sort name', "option '--sort <order>' argument 'name' is invalid. Allowed choices are start, wait, waste."],
  ])('%s is refused', async (flag, sentence) => {
    expect(await dnstrail(`lookups ${FILE} ${flag}`)).toMatchObject({
      status: 2,
      out: '',
      err: `dnstrail: ${sentence}\n`,
    })
  })
})
