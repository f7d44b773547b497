/**
 * what-if: scenarios in which a client does something and the replay tells what it would do otherwise, and two recordings of one
 * workload under different ndots, each of which must predict the other.
 *
 * Beside what scenario.ts describes: "? OPTIONS" is the change, "= CLIENT queries N -> M" what one client sends now and then, "- NAME
 * RESOLVER LOOKUPS" a name that would stop resolving (and no other), "+" one that would begin to, "@" one that another candidate would
 * answer, "~ TEXT" something that must be said of what the capture cannot tell.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { run as cli } from '../src/cli.ts'
import { UserError } from '../src/model.ts'
import { whatIfOf } from '../src/report/what-if/record.ts'
import { whatIfText } from '../src/report/what-if/text.ts'
import type { NameEffect, WhatIf } from '../src/report/what-if/types.ts'
import { type Change, NO_CHANGE } from '../src/trace/change.ts'
import { whatIf } from '../src/what-if.ts'
import { PATIENCE, RECORDINGS, run, scenarios } from './recordings.ts'
import { readScenario, traceScenario } from './scenario.ts'

const FOLDER = fileURLToPath(new URL('what-if/', import.meta.url))

function changeOf(options: string): Change {
  const words = options.trim().split(/\s+/)
  const change = { ...NO_CHANGE, trailingDot: [] as string[], dropSuffix: [] as string[] }
  while (words.length > 0) {
    const option = words.shift()
    if (option === '--ndots') change.ndots = Number(words.shift())
    else if (option === '--trailing-dot') change.trailingDot.push(String(words.shift()).replace(/\.$/, ''))
    else if (option === '--drop-suffix') change.dropSuffix.push(String(words.shift()))
    else if (option === '--autopath') change.autopath = true
    else if (option === '--node-local-cache') change.nodeLocalCache = true
    else throw new Error(`no option ${option}`)
  }
  return change
}

const told = (rows: NameEffect[]): string[] =>
  rows.map(({ name, resolver, lookups }) => `${name} ${resolver} ${lookups}`).sort()

describe('scenarios', () => {
  for (const file of readdirSync(FOLDER).sort()) {
    const lines = readFileSync(FOLDER + file, 'utf8').split('\n')
    const of = (sign: string): string[] =>
      lines.filter(line => line.startsWith(`${sign} `)).map(line => line.slice(2).trim())
    const scenario = readScenario(FOLDER + file)
    test(`${file}: ${scenario.title}`, () => {
      const { trace, context } = traceScenario(scenario)
      const result = whatIfOf(trace, context, changeOf(of('?')[0]))
      const loads = result.workloads.map(
        ({ workload, before, after }) => `${workload} queries ${before.queries} -> ${after.queries}`,
      )
      for (const line of of('=')) expect(loads).toContain(line)
      expect(told(result.stops)).toEqual(of('-').sort())
      expect(told(result.starts)).toEqual(of('+').sort())
      expect(told(result.otherAnswers)).toEqual(of('@').sort())
      for (const words of of('~')) expect(result.unknown.join('\n')).toContain(words)
      expect(whatIfText(result, { width: 80, color: false }).split('\n').filter(tooLong)).toEqual([])
    })
  }
})

/** Lines to be pasted are not wrapped. */
const tooLong = (line: string): boolean => line.length > 80 && !/^ {2}#/.test(line)

test('a cache on the node takes load from CoreDNS and waiting from the client', () => {
  const { trace, context } = traceScenario(readScenario(`${FOLDER}node-local-cache.txt`))
  const { before, after } = whatIfOf(trace, context, { ...NO_CHANGE, nodeLocalCache: true })
  expect(before.coredns).toBe(160)
  // A and AAAA of three names of the cluster, each denied for 5 of 19 seconds; the name itself goes straight to the upstream.
  expect(after.coredns).toBeGreaterThanOrEqual(6)
  expect(after.coredns).toBeLessThan(30)
  expect(after.waitMs).toBeLessThan(before.waitMs / 2)
})

test('a configuration that is the one in force changes nothing', () => {
  const { trace, context } = traceScenario(readScenario(`${FOLDER}ndots-glibc.txt`))
  const { before, after, stops, starts, otherAnswers } = whatIfOf(trace, context, { ...NO_CHANGE, ndots: 5 })
  expect(after).toEqual(before)
  expect([...stops, ...starts, ...otherAnswers]).toEqual([])
})

test.each([{ trailingDot: ['nobody.example'] }, { dropSuffix: ['nobody.example'] }])(
  'what is not in the capture is refused: %j',
  change => {
    const { trace, context } = traceScenario(readScenario(`${FOLDER}ndots-glibc.txt`))
    expect(() => whatIfOf(trace, context, { ...NO_CHANGE, ...change })).toThrow(UserError)
  },
)

test('without a change there is nothing to ask', async () => {
  await expect(whatIf({ files: [] } as never, NO_CHANGE)).rejects.toThrow(/--ndots 2/)
})

// -- Real packets -----------------------------------------------------------------------------------------------------------------

async function dnstrail(...args: string[]): Promise<string> {
  const out: string[] = []
  const screen = { isTTY: false, write: (text: string) => out.push(text) }
  const status = await cli(['node', 'dnstrail', ...args], {
    stdin: { isTTY: true },
    stdout: screen,
    stderr: { isTTY: false, write: () => {} },
    env: {},
    onInterrupt: () => {},
  })
  expect(status).toBe(0)
  return out.join('')
}

test('the README shows what it prints', async () => {
  const shown = /<!-- what-if -->\n```text\n\$ bin\/dnstrail\.js (.*)\n\n([\s\S]*?)```\n<!-- \/what-if -->/.exec(
    readFileSync('README.md', 'utf8'),
  )!
  expect(await dnstrail(...shown[1].split(' '))).toBe(shown[2])
})

test('csv has a row per workload', async () => {
  const [head, ...rows] = (
    await dnstrail('what-if', 'samples/01-glibc-clusterip.pcap', '--ndots', '2', '-o', 'csv')
  ).split('\r\n')
  expect(head).toBe(
    'workload,clients,resolvers,lookups,queriesBefore,queriesAfter,saved,bytesBefore,bytesAfter,waitMsBefore,waitMsAfter,corednsBefore,corednsAfter,upstreamBefore,upstreamAfter,failedBefore,failedAfter',
  )
  expect(rows.filter(Boolean).map(row => row.split(',').slice(0, 7).join())).toEqual([
    '10.244.0.12,1,dig glibc,18,118,94,24',
    '10.244.0.11,1,glibc,20,111,97,14',
  ])
})

test.each([
  ['14-whatif-ndots5', 2, '15-whatif-ndots2', ['fraud.payments.svc musl 4'], []],
  ['15-whatif-ndots2', 5, '14-whatif-ndots5', [], ['fraud.payments.svc musl 4']],
] as const)('%s with ndots %i is %s', async (from, ndots, to, stops, starts) => {
  const json = async (sample: string, ndots: number): Promise<WhatIf> =>
    JSON.parse(await dnstrail('what-if', `samples/${sample}.pcap`, '--ndots', String(ndots), '-o', 'json'))
  const predicted = await json(from, ndots)
  const real = new Map((await json(to, ndots)).workloads.map(row => [row.workload, row.before]))
  for (const { workload, before, after } of predicted.workloads) {
    const { queries, lookups } = real.get(workload)!
    // A lookup more or less at the ends of so short a sample counts for itself.
    expect(Math.abs(after.queries - queries), workload).toBeLessThanOrEqual(2 * Math.abs(before.lookups - lookups))
  }
  expect(told(predicted.stops)).toEqual(stops)
  expect(told(predicted.starts)).toEqual(starts)
})

const CAPTURE = { 5: '14-whatif-ndots5', 2: '15-whatif-ndots2' }
const pathOf = (ndots: 5 | 2): string => join(RECORDINGS, CAPTURE[ndots], 'node-a-any.pcap')

describe.skipIf(!scenarios.includes(CAPTURE[5]) || !scenarios.includes(CAPTURE[2]))(
  'one workload recorded twice (skipped without the recordings)',
  () => {
    test.each([
      [5, 2],
      [2, 5],
    ] as const)(
      'ndots %i predicts ndots %i',
      async (from, to) => {
        const resources = join(RECORDINGS, CAPTURE[from], 'resources.json')
        const args = ['what-if', pathOf(from), '--ndots', String(to), '--resources', resources, '-o', 'json']
        const predicted: WhatIf = JSON.parse(await dnstrail(...args))
        const { lookups } = await run([pathOf(to)], { resources })
        const real = new Map<string, { lookups: number; queries: number; failed: Set<string> }>()
        for (const { client, name, queries, outcome } of lookups) {
          const key = `${client.namespace}/${client.workload ?? client.pod}`
          const sum = real.get(key) ?? { lookups: 0, queries: 0, failed: new Set<string>() }
          real.set(key, sum)
          sum.lookups++
          sum.queries += queries
          if (outcome !== 'answered') sum.failed.add(name)
        }
        expect(predicted.workloads.length).toBe(6)
        for (const { workload, before, after } of predicted.workloads) {
          const sum = real.get(workload)!
          // Per lookup, so that a lookup more or less at the end of a recording is no error of the prediction.
          const perLookup = after.queries / before.lookups / (sum.queries / sum.lookups)
          expect(Math.abs(perLookup - 1), workload).toBeLessThanOrEqual(0.03)
        }
        // The names that broke, and that were mended: what fails in one recording and not in the other.
        const failing = new Set(
          [...real].flatMap(([workload, { failed }]) => [...failed].map(name => `${workload} ${name}`)),
        )
        const now = new Set(
          (await run([pathOf(from)], { resources })).lookups
            .filter(({ outcome }) => outcome !== 'answered')
            .map(({ client, name }) => `${client.namespace}/${client.workload ?? client.pod} ${name}`),
        )
        const flat = (rows: NameEffect[]): string[] =>
          rows.flatMap(({ name, workloads }) => workloads.map(workload => `${workload} ${name}`)).sort()
        expect(flat(predicted.stops)).toEqual([...failing].filter(name => !now.has(name)).sort())
        expect(flat(predicted.starts)).toEqual([...now].filter(name => !failing.has(name)).sort())
      },
      PATIENCE,
    )

    test(
      'one pod alone: what the others were told is known all the same',
      async () => {
        const args = ['what-if', pathOf(2), '--ndots', '5', '--pod', '10.244.0.32', '-o', 'json']
        const { starts, workloads }: WhatIf = JSON.parse(await dnstrail(...args))
        expect(workloads.map(({ workload }) => workload)).toEqual(['10.244.0.32'])
        expect(starts.map(({ name }) => name)).toEqual(['fraud.payments.svc'])
      },
      PATIENCE,
    )
  },
)
