/** What only a real process shows: exit status, a broken pipe. Runs the built command. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const BIN = join(ROOT, 'bin', 'dnstrail.js')

function start(...args: string[]) {
  return spawn(process.execPath, [BIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
}

test('a mistake ends with 2 and one sentence', async () => {
  for (const args of [['--wat'], ['lookups', 'no-such-folder/no-such.pcap']]) {
    const child = start(...args)
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
    expect(child.exitCode).toBe(2)
    expect(out).toBe('')
    expect(err).toMatch(/^dnstrail: [^\n]+\n$/)
  }
})

test('a reader that has seen enough is no error', async () => {
  const child = start('--help')
  child.stdout.destroy()
  const [err] = await Promise.all([text(child.stderr), once(child, 'close')])
  expect({ status: child.exitCode, err }).toEqual({ status: 0, err: '' })
})

test('a clone that is not built says what to do', async () => {
  const clone = mkdtempSync(join(tmpdir(), 'dnstrail-clone-'))
  cpSync(dirname(BIN), join(clone, 'bin'), { recursive: true })
  const child = spawn(process.execPath, [join(clone, 'bin', 'dnstrail.js'), '--help'])
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  rmSync(clone, { recursive: true })
  expect({ status: child.exitCode, out, err }).toEqual({
    status: 2,
    out: '',
    err: 'dnstrail is not built yet: run npm ci.\n',
  })
})

test('what is published is all that the command needs', async () => {
  const packed = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  const files = (JSON.parse(packed) as { files: { path: string }[] }[])[0].files.map(({ path }) => path)
  const folder = mkdtempSync(join(tmpdir(), 'dnstrail-package-'))
  for (const file of files) cpSync(join(ROOT, file), join(folder, file))
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  const sample = join(ROOT, 'samples', '00-search-chain.pcap')
  for (const args of [[sample], ['show', '-v', sample, 'google.com']]) {
    const outputs = [join(folder, 'bin', 'dnstrail.js'), BIN].map(bin =>
      execFileSync(process.execPath, [bin, ...args], { encoding: 'utf8' }),
    )
    expect(outputs[0]).toBe(outputs[1])
  }
  rmSync(folder, { recursive: true })
  expect(files).toContain('dist/bundle/decoder-worker.cjs')
  expect(files.filter(file => file.endsWith('.compiled') || /^dist\/(?!bundle\/)/.test(file))).toEqual([])
})

/** What the command loads of the bundle for a report, and whether V8 took what the build had it compile. */
const TAKEN = `
  const { load, scripts } = require(${JSON.stringify(fileURLToPath(new URL('../bin/load.js', import.meta.url)))})
  for (const file of ['./cli.cjs', './analysis.cjs']) load(file)
  for (const script of scripts.values()) console.log(script.cachedDataRejected)
`

test('what the build had compiled is taken', async () => {
  const child = spawn(process.execPath, ['-e', TAKEN], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [out] = await Promise.all([text(child.stdout), once(child, 'close')])
  expect(new Set(out.trim().split('\n'))).toEqual(new Set(['false']))
})

test('where V8 refuses what the build had compiled, all is the same', async () => {
  const sample = fileURLToPath(new URL('../samples/00-search-chain.pcap', import.meta.url))
  const outputs = [[], ['--no-flush-bytecode']].map(async flags => {
    const child = spawn(process.execPath, [...flags, BIN, sample], { stdio: ['ignore', 'pipe', 'pipe'] })
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
    return { out, err, status: child.exitCode }
  })
  const [usual, refused] = await Promise.all(outputs)
  expect(usual).toMatchObject({ err: '', status: 0 })
  expect(refused).toEqual(usual)
})
