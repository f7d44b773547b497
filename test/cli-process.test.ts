/** What only a real process shows: exit status, a broken pipe. Runs the built command. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const BIN = fileURLToPath(new URL('../bin/dnstrail.js', import.meta.url))

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
