/**
 * Agreement with tshark as a stranger would measure it: what `dnstrail messages` prints of every capture beside the checkout is
 * compared by the tool that stands there, with docs/agreement.tsv as the list of known differences.
 */
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { afterAll, expect, test } from 'vitest'
import { messages } from '../src/analyze.ts'
import { jsonLine } from '../src/report/json.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const CORPORA = join(ROOT, '../shared/corpora')
const AGREE = join(ROOT, '../shared/tools/agree.mjs')
const EXPLAINED = join(ROOT, 'docs/agreement.tsv')
const here = existsSync(join(CORPORA, 'dns-captures.tsv')) && existsSync(AGREE)

const OUT = mkdtempSync(join(tmpdir(), 'dnstrail-agreement-'))
afterAll(() => rmSync(OUT, { recursive: true }))

const NO_FILTERS = { namespace: null, pod: null, name: null, since: null, until: null }
const NO_HINTS = { resources: null, roles: [], resolvConf: null, clusterDomain: null }

interface Capture {
  path: string
  oracle: string
}

/** By the head's names: the table may get columns. */
function captures(): Capture[] {
  const [head, ...rows] = readFileSync(join(CORPORA, 'dns-captures.tsv'), 'utf8')
    .trim()
    .split('\n')
    .map(line => line.split('\t'))
  return rows.map(row => ({ path: row[head.indexOf('path')], oracle: row[head.indexOf('oracle')] }))
}

/** Our messages of one capture, as the command prints them. */
async function write(capture: Capture, ndjson: string): Promise<void> {
  const lines: string[] = []
  const options = { files: [join(CORPORA, 'captures', capture.path)], filters: NO_FILTERS, hints: NO_HINTS }
  await messages(options, record => lines.push(`${jsonLine(record)}\n`))
  writeFileSync(ndjson, lines.join(''))
}

/** What the tool counts: oracle, ours, equal, missing, surplus, differ, explained. It runs in a thread: a process costs twice the time. */
async function compare({ path, oracle }: Capture, ndjson: string): Promise<Record<string, number>> {
  const argv = [join(CORPORA, oracle), ndjson, '--explained', EXPLAINED, path]
  const thread = new Worker(AGREE, { argv, stdout: true })
  const failed = once(thread, 'error').then(([error]) => Promise.reject(error))
  const stdout = await Promise.race([text(thread.stdout), failed])
  return Object.fromEntries([...stdout.matchAll(/(\w+) (\d+)/g)].map(([, key, value]) => [key, Number(value)]))
}

const title = 'of the messages that tshark or dnstrail find, 99.9 % are equal'

test.skipIf(!here)(
  here ? title : `${title} (skipped: ../shared/corpora is not there)`,
  { timeout: 60_000 },
  async () => {
    const rest = captures().entries()
    const unequal: string[] = []
    let equal = 0
    let either = 0
    const worker = async () => {
      // The iterator is shared: each takes the next capture when it has done with one.
      for (const [i, capture] of rest) {
        const ndjson = join(OUT, `${i}.ndjson`)
        await write(capture, ndjson)
        const counts = await compare(capture, ndjson)
        rmSync(ndjson)
        const { missing, surplus, differ } = counts
        equal += counts.equal
        either += counts.equal + missing + surplus + differ
        if (missing + surplus + differ > 0) unequal.push(`${capture.path}: ${JSON.stringify(counts)}`)
      }
    }
    await Promise.all(Array.from({ length: availableParallelism() }, worker))
    expect(either).toBeGreaterThan(0)
    expect(equal / either, unequal.join('\n')).toBeGreaterThanOrEqual(0.999)
  },
)

test.skipIf(!here)('every row of docs/agreement.tsv names a capture, a frame, an id and a reason', () => {
  const known = new Set(captures().map(({ path }) => path))
  const [head, ...rows] = readFileSync(EXPLAINED, 'utf8').trimEnd().split('\n')
  expect(head).toBe('capture\tframe\tid\treason')
  const wrong = rows.filter(row => {
    const [capture, frame, id, reason] = row.split('\t')
    return !known.has(capture) || !/^\d+$/.test(frame) || !/^\d+$/.test(id) || !reason?.trim()
  })
  expect(wrong).toEqual([])
})
