// @ts-check
/**
 * npm run bench [-- --frames 1M,4M --shape pod,any,flows --runs 5 --only dnstrail,tcpdump]
 * npm run bench -- --frames 500k --shape pod --rate 150,1500,6000 --only dnstrail
 *
 * Measures dnstrail beside the tools that people have, in one run, taking turns, on captures from generate.js. Prints medians, and how
 * time and memory grow where several numbers of frames, pods, names or lookups per second are asked for. The captures are kept in the
 * system's temporary folder and used again; they go away with --clean.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { cpus, release, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { DEFAULTS, generate, SHAPES } from './generate.js'

const CACHE = join(tmpdir(), 'dnstrail-bench')
const OUR_CLI = fileURLToPath(new URL('../bin/dnstrail.js', import.meta.url))
const STAGES = fileURLToPath(new URL('./stages.js', import.meta.url))
const FLOWS_BENCH = fileURLToPath(new URL('./flows.js', import.meta.url))
const FLOODS_BENCH = fileURLToPath(new URL('./floods.js', import.meta.url))
/** The shape that is no capture of packets. */
const FLOWS = 'flows'
const FLOODS = 'floods'
const GNU_TIME = '/usr/bin/time'
/** tshark takes about a minute for 4 M frames: above this many frames it runs `SLOW_RUNS` times only. */
const SLOW_ABOVE = 1_000_000
const SLOW_RUNS = 2
/** What a person who looks for slow lookups asks tshark for. */
const TSHARK_FIELDS = [
  'frame.number',
  'frame.time_epoch',
  'ip.src',
  'ip.dst',
  'udp.srcport',
  'udp.dstport',
  'dns.id',
  'dns.flags.response',
  'dns.flags.rcode',
  'dns.qry.name',
  'dns.qry.type',
  'dns.time',
]

/**
 * @typedef {object} Tool
 * @property {string} name
 * @property {string} program
 * @property {(file: string) => string[]} args
 * @property {boolean} [slow]
 * @property {string[]} [version]
 *
 * @typedef {object} Measured
 * @property {Tool} tool
 * @property {number[]} seconds one per run
 * @property {number} peak bytes, the largest of the runs; 0 where unknown
 * @property {string | null} problem why there is no figure
 */

/** @type {Tool[]} */
const TOOLS = [
  { name: 'dnstrail', program: process.execPath, args: file => [OUR_CLI, file] },
  { name: 'decoding alone', program: process.execPath, args: file => [STAGES, 'messages', file] },
  { name: 'pairing alone', program: process.execPath, args: file => [STAGES, 'transactions', file] },
  { name: 'dnstrail -o json', program: process.execPath, args: file => [OUR_CLI, '-o', 'json', file] },
  {
    name: 'tshark -T fields',
    program: 'tshark',
    args: file => ['-n', '-r', file, '-Y', 'dns', '-T', 'fields', ...TSHARK_FIELDS.flatMap(field => ['-e', field])],
    slow: true,
    version: ['--version'],
  },
  {
    name: 'tshark -z dns,tree',
    program: 'tshark',
    args: file => ['-n', '-q', '-r', file, '-z', 'dns,tree'],
    slow: true,
    version: ['--version'],
  },
  { name: 'dnsscope', program: 'dnsscope', args: file => [file], version: ['--version'] },
  {
    name: 'tcpdump -w, port 53',
    program: 'tcpdump',
    args: file => ['-r', file, '-w', '/dev/null', 'port', '53'],
    version: ['--version'],
  },
  { name: 'cat', program: 'cat', args: file => [file] },
]

/** @param {string} program */
const installed = program =>
  program.startsWith('/') ? existsSync(program) : spawnSync('which', [program], { stdio: 'ignore' }).status === 0

/** @param {string} text "1M" -> 1,000,000 */
function count(text) {
  const match = /^(\d+(?:\.\d+)?)([kM]?)$/.exec(text)
  if (!match) throw new Error(`not a number of frames: ${text}`)
  return Number(match[1]) * (match[2] === 'M' ? 1e6 : match[2] === 'k' ? 1e3 : 1)
}

/** @param {number[]} values */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/**
 * The capture with these parameters, generated unless it is there already.
 * @param {import('./generate.js').Options} options
 */
function capture(options) {
  mkdirSync(CACHE, { recursive: true })
  const source = ['generate.js', 'frames.js', 'names.js', 'random.js'].map(name =>
    readFileSync(new URL(name, import.meta.url), 'utf8'),
  )
  const { shape, frames, seed, pods, names, rate } = options
  const file = join(CACHE, `${shape}-${frames}-${seed}-${pods}-${names}-${rate}-${checksum(source.join(''))}.pcap`)
  if (!existsSync(file)) {
    process.stderr.write(`generating ${file} ...\n`)
    generate(`${file}.part`, options)
    renameSync(`${file}.part`, file)
  }
  return file
}

/** @param {string} text */
function checksum(text) {
  let hash = 0
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0
  return (hash >>> 0).toString(16)
}

/**
 * One run, in the folder of the captures: dnsscope leaves files where it runs. Output goes to the null device; peak memory comes from GNU time where it is installed, else from looking at the process.
 * @param {Tool} tool @param {string} file
 * @returns {Promise<{ seconds: number, peak: number, problem: string | null }>}
 */
function run(tool, file) {
  const timed = existsSync(GNU_TIME)
  const peakFile = join(CACHE, `peak-${process.pid}`)
  const args = timed ? ['-q', '-f', '%M', '-o', peakFile, tool.program, ...tool.args(file)] : tool.args(file)
  return new Promise((resolve, reject) => {
    const started = process.hrtime.bigint()
    const child = spawn(timed ? GNU_TIME : tool.program, args, { cwd: CACHE, stdio: ['ignore', 'ignore', 'pipe'] })
    let peak = 0
    let errors = ''
    child.stderr.on('data', data => {
      if (errors.length < 1000) errors += data
    })
    const watch = timed
      ? undefined
      : setInterval(() => {
          try {
            const status = readFileSync(`/proc/${child.pid}/status`, 'latin1')
            peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024)
          } catch {
            // Not Linux, or already gone.
          }
        }, 20)
    child.on('error', reject)
    child.on('close', code => {
      const seconds = Number(process.hrtime.bigint() - started) / 1e9
      clearInterval(watch)
      if (timed) {
        peak = Number(readFileSync(peakFile, 'latin1').trim()) * 1024
        rmSync(peakFile, { force: true })
      }
      const lines = errors.split('\n').filter(line => line !== '' && !/^(Warning|Running as|reading from)/.test(line))
      const fatal = lines.find(line => /^fatal/i.test(line)) // dnsscope says so and exits with 0
      resolve({ seconds, peak, problem: code === 0 ? (fatal ?? null) : (lines[0] ?? `exit status ${code}`) })
    })
  })
}

/**
 * All tools on one capture, taking turns.
 * @param {Tool[]} tools @param {string} file @param {number} frames @param {number} runs
 */
async function measure(tools, file, frames, runs) {
  /** @type {Measured[]} */
  const rows = tools.map(tool => ({
    tool,
    seconds: [],
    peak: 0,
    problem: installed(tool.program) ? null : 'not installed',
  }))
  // Everybody finds the file in the page cache.
  spawnSync('cat', [file], { stdio: 'ignore' })
  for (let turn = 0; turn < runs; turn++) {
    for (const row of rows) {
      if (row.problem !== null || (row.tool.slow && frames > SLOW_ABOVE && turn >= SLOW_RUNS)) continue
      if (process.stderr.isTTY) process.stderr.write(`\r\x1b[Krun ${turn + 1} of ${runs}: ${row.tool.name}`)
      const result = await run(row.tool, file)
      row.problem = result.problem
      row.seconds.push(result.seconds)
      row.peak = Math.max(row.peak, result.peak)
    }
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
  return rows
}

/** @param {string[][]} rows the first is the heading; the first column is text, the others are numbers */
function table(rows) {
  // A row with fewer cells than the heading is a name and a remark.
  const full = rows.filter(row => row.length === rows[0].length)
  const widths = rows[0].map((_, column) => Math.max(...(column === 0 ? rows : full).map(row => row[column].length)))
  return rows
    .map(row =>
      row.map((cell, column) =>
        column === 0 || !full.includes(row) ? cell.padEnd(widths[column]) : cell.padStart(widths[column]),
      ),
    )
    .map(cells => cells.join('  ').trimEnd())
    .join('\n')
}

/** @param {Measured[]} rows @param {number} frames @param {number} bytes */
function comparison(rows, frames, bytes) {
  const ours = rows.find(row => row.tool.name === 'dnstrail' && row.problem === null)
  const reference = ours ? median(ours.seconds) : null
  const lines = [['', 'median s', 'ratio', 'frames/s', 'MB/s', 'peak MB', 'runs']]
  for (const { tool, seconds, peak, problem } of rows) {
    if (problem !== null) {
      lines.push([tool.name, `left out: ${problem}`])
      continue
    }
    const s = median(seconds)
    lines.push([
      tool.name,
      s.toFixed(3),
      reference === null ? '' : (s / reference).toFixed(2),
      Math.round(frames / s).toLocaleString('en-US'),
      (bytes / s / 1e6).toFixed(0),
      peak === 0 ? '' : (peak / 1e6).toFixed(0),
      String(seconds.length),
    ])
  }
  return table(lines)
}

/** What the figures were measured on, for the documentation. @param {Tool[]} tools */
function machine(tools) {
  const versions = new Set()
  for (const { program, version } of tools) {
    if (!version || !installed(program)) continue
    const said = spawnSync(program, version, { encoding: 'utf8' })
    versions.add(`${program} ${/\d+(\.\d+)+/.exec(said.stdout + said.stderr)?.[0] ?? ''}`.trim())
  }
  return [
    `${cpus().length} x ${cpus()[0]?.model ?? 'unknown processor'}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, ${process.platform} ${release()}`,
    [`Node ${process.versions.node}`, ...versions].join(', '),
  ].join('\n')
}

const { values } = parseArgs({
  options: {
    frames: { type: 'string', default: '1M' },
    shape: { type: 'string', default: `pod,${FLOWS}` },
    runs: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
    seed: { type: 'string', default: String(DEFAULTS.seed) },
    pods: { type: 'string', default: String(DEFAULTS.pods) },
    names: { type: 'string', default: String(DEFAULTS.names) },
    rate: { type: 'string', default: String(DEFAULTS.rate) },
    clean: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) {
  process.stdout.write(`npm run bench -- [options]

  --frames N[,N...]   frames of the capture: 1M (default), 4M, 20M, 500k
  --shape S[,S...]    ${SHAPES.join(', ')} of packets, ${FLOWS}: logs of Hubble flows, ${FLOODS}: one thing by the thousand (default pod,${FLOWS})
  --runs N            runs of each tool (default 5)
  --only NAME[,...]   tools whose name begins with one of these
  --pods, --names, --rate N[,N...]  of the generator: pods, names, lookups a second (${DEFAULTS.pods}, ${DEFAULTS.names}, ${DEFAULTS.rate})
  --seed N            of the generator (${DEFAULTS.seed})
  --clean             remove the generated captures and stop
`)
  process.exit(0)
}
if (values.clean) {
  rmSync(CACHE, { recursive: true, force: true })
  process.exit(0)
}

const only = values.only.split(',').filter(name => name !== '')
const tools = TOOLS.filter(tool => only.length === 0 || only.some(name => tool.name.startsWith(name)))
const runs = Number(values.runs)
const sizes = values.frames.split(',').map(count)
const asked = values.shape.split(',')
const shapes = asked.filter(shape => shape !== FLOWS && shape !== FLOODS)
for (const shape of shapes) if (!SHAPES.includes(shape)) throw new Error(`no such shape: ${shape}`)

/**
 * What captures differ in, with each number that is asked for: as a heading, and as the generator calls it.
 * @type {[string, 'frames' | 'pods' | 'names' | 'rate', number[]][]}
 */
const DIMENSIONS = [
  ['frames', 'frames', sizes],
  ['pods', 'pods', values.pods.split(',').map(count)],
  ['names', 'names', values.names.split(',').map(count)],
  ['lookups/s', 'rate', values.rate.split(',').map(count)],
]

/** Every combination. @returns {Record<'frames' | 'pods' | 'names' | 'rate', number>[]} */
function combinations() {
  let all = [{ frames: 0, pods: 0, names: 0, rate: 0 }]
  for (const [, key, numbers] of DIMENSIONS) all = all.flatMap(one => numbers.map(n => ({ ...one, [key]: n })))
  return all
}

process.stdout.write(`${machine(tools)}\n`)
for (const shape of shapes) {
  const varied = DIMENSIONS.filter(([, , numbers]) => numbers.length > 1)
  const growth = [[...varied.map(([heading]) => heading), 'median s', 'us/frame', 'peak MB']]
  for (const numbers of combinations()) {
    const { frames } = numbers
    const file = capture({ shape, seed: Number(values.seed), ...numbers })
    const bytes = statSync(file).size
    process.stdout.write(`\n${shape}: ${frames.toLocaleString('en-US')} frames, ${(bytes / 1e6).toFixed(0)} MB`)
    for (const [heading, key] of varied)
      if (key !== 'frames') process.stdout.write(`, ${numbers[key].toLocaleString('en-US')} ${heading}`)
    if (tools.some(tool => tool.slow) && frames > SLOW_ABOVE && runs > SLOW_RUNS)
      process.stdout.write(`; tshark runs ${SLOW_RUNS} times only`)
    process.stdout.write('\n\n')
    const rows = await measure(tools, file, frames, runs)
    process.stdout.write(`${comparison(rows, frames, bytes)}\n`)
    const ours = rows.find(row => row.tool.name === 'dnstrail' && row.problem === null)
    if (ours) {
      const s = median(ours.seconds)
      growth.push([
        ...varied.map(([, key]) => numbers[key].toLocaleString('en-US')),
        s.toFixed(3),
        ((s / frames) * 1e6).toFixed(3),
        (ours.peak / 1e6).toFixed(0),
      ])
    }
  }
  if (growth.length > 2) process.stdout.write(`\n${shape}: how dnstrail grows\n\n${table(growth)}\n`)
}

// Flow logs are lines, not frames, and other tools read them.
if (asked.includes(FLOWS)) {
  process.stdout.write('\nHubble flows\n\n')
  spawnSync(process.execPath, [FLOWS_BENCH, '--runs', String(Math.min(runs, 3))], { stdio: 'inherit' })
}
if (asked.includes(FLOODS)) {
  process.stdout.write('\nFloods\n\n')
  spawnSync(process.execPath, [FLOODS_BENCH], { stdio: 'inherit' })
}
