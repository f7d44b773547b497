// @ts-check
/**
 * npm run fuzz -- [--minutes N] [--seed N] [--cases N] [--file PATH]
 *
 * Damages captures (samples/, and the folders beside the checkout where they exist), runs dnstrail on them, and saves what breaks it
 * in the system's temporary folder. A case is its seed: `--seed N --cases 1` runs it again, `--file PATH` runs a saved file.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { check, framesOf } from './fuzz-case.js'
import { filesIn, mutant } from './fuzz-mutate.js'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const FOUND = join(tmpdir(), 'dnstrail-fuzz')
/** A case takes milliseconds; a machine that is busy gets its time. */
const HANG_MS = 30_000
const HEAP_MB = 512
const RSS_MB = 2048
/** Of one sort so many are saved. */
const SAVED = 3

/** What was built. @returns {Promise<import('./fuzz-case.js').Program>} */
async function built() {
  const files = [
    'analyze',
    'report/text',
    'report/what-if/record',
    'report/what-if/text',
    'input/merge',
    'wire/tables',
    'wire/messages',
    'wire/issues',
    'model',
  ]
  const parts = await Promise.all(files.map(file => import(new URL(`../dist/${file}.js`, import.meta.url).href)))
  return Object.assign({}, ...parts)
}

const SEEDS = ['samples', '../shared/corpora/captures', '../shared/captures', '../shared/hubble']
const files = () => filesIn(SEEDS.map(folder => join(ROOT, folder)).filter(existsSync)).filter(isInput)
/** The recordings stand beside their configuration. @param {string} path */
const isInput = path => !path.includes('shared/captures/') || /\.(pcap|pcapng|gz)$/.test(path)

/** @param {import('./fuzz-case.js').Program} program */
function mutants(program) {
  const paths = files()
  const known = new Map()
  return (/** @type {number} */ seed) =>
    mutant(seed, paths, async path => {
      if (!known.has(path)) known.set(path, await framesOf(program, path))
      return known.get(path)
    })
}

if (isMainThread) await main()
else await work()

// -- A thread that runs cases -----------------------------------------------------------------------------------------------------

async function work() {
  const program = await built()
  const make = mutants(program)
  const { next, now, last } = workerData
  for (;;) {
    const seed = Atomics.add(next, 0, 1)
    if (seed >= last) break
    Atomics.store(now, 0, seed)
    const { bytes, twin } = await make(seed)
    try {
      await check(program, bytes, twin, seed)
    } catch (error) {
      parentPort?.postMessage({ seed, problem: String(error instanceof Error ? error.stack : error) })
    }
    Atomics.add(now, 1, 1)
  }
}

// -- Who watches them -------------------------------------------------------------------------------------------------------------

async function main() {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '1' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
      cases: { type: 'string', default: '1000000000' },
      file: { type: 'string' },
    },
  })
  const program = await built()
  if (values.file) return check(program, readFileSync(values.file), null, 1)
  mkdirSync(FOUND, { recursive: true })
  const seed = Number(values.seed)
  const next = new Int32Array(new SharedArrayBuffer(4)).fill(seed)
  const last = seed + Number(values.cases)
  const end = performance.now() + 60_000 * Number(values.minutes)
  const make = mutants(program)
  /** @type {Map<string, number>} */
  const sorts = new Map()
  const report = async (/** @type {number} */ seed, /** @type {string} */ problem) => {
    const { bytes, origin } = await make(seed)
    const folder = SEEDS.find(folder => origin.startsWith(join(ROOT, folder)))
    const where = problem.split('\n').find(line => /^ +at .*dist/.test(line))
    const sort = [problem.split('\n', 1)[0], folder, where?.trim()].filter(Boolean).join('\n')
    const count = (sorts.get(sort) ?? 0) + 1
    sorts.set(sort, count)
    if (count > SAVED) return
    const path = join(FOUND, `${seed}.cap`)
    writeFileSync(path, bytes)
    console.log(`seed ${seed}  ${path}\n  from ${origin}\n  ${problem.split('\n').slice(0, 12).join('\n  ')}`)
  }
  console.log(`seed ${seed}, ${files().length} captures, ${availableParallelism()} threads`)
  const threads = Array.from({ length: availableParallelism() }, () => watched(next, last, report))
  const timer = setTimeout(() => Atomics.store(next, 0, last), Math.max(0, end - performance.now()))
  const cases = await Promise.all(threads)
  clearTimeout(timer)
  console.log(`${cases.reduce((sum, n) => sum + n, 0)} cases, ${sorts.size} sorts of trouble`)
  for (const [sort, count] of sorts)
    console.log(`${String(count).padStart(8)}  ${sort.split('\n').join('\n          ')}`)
  process.exitCode = sorts.size > 0 ? 1 : 0
}

/**
 * Runs a thread, and another where it hangs or bursts, until the cases have run out. Resolves with the number of cases.
 * @param {Int32Array} next @param {number} last @param {(seed: number, problem: string) => Promise<void>} report
 */
async function watched(next, last, report) {
  let cases = 0
  while (Atomics.load(next, 0) < last) {
    const now = new Int32Array(new SharedArrayBuffer(8))
    const thread = new Worker(fileURLToPath(import.meta.url), {
      workerData: { next, now, last },
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    })
    /** @type {Promise<void>[]} */
    const reports = []
    thread.on('message', ({ seed, problem }) => reports.push(report(seed, problem)))
    let seen = -1
    let since = performance.now()
    const watch = setInterval(() => {
      const done = Atomics.load(now, 1)
      if (done !== seen) since = performance.now()
      seen = done
      const rss = process.memoryUsage.rss() / 1e6
      const problem =
        performance.now() - since > HANG_MS ? 'it hangs' : rss > RSS_MB ? `memory: ${Math.round(rss)} MB` : null
      if (problem === null) return
      clearInterval(watch)
      reports.push(report(Atomics.load(now, 0), problem))
      void thread.terminate()
    }, 500)
    await new Promise(resolve => {
      thread.on('error', error => {
        reports.push(report(Atomics.load(now, 0), String(error.stack)))
      })
      thread.on('exit', resolve)
    })
    clearInterval(watch)
    await Promise.all(reports)
    cases += Atomics.load(now, 1)
  }
  return cases
}
