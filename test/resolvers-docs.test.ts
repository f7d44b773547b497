/** docs/resolvers.md is written from the rows of trace/resolvers.ts. `npm run accept` writes what has changed. */
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { RESOLVERS, type Resolver } from '../src/trace/resolvers.ts'

const DOCS = fileURLToPath(new URL('../docs/', import.meta.url))

const ORDER: Record<Resolver['afterEnoughDots'], string> = {
  list: 'as-is, then the list',
  nothing: 'as-is only',
  'any dot': 'one dot: as-is only; none: the list, never as-is',
  'any dot, list': 'one dot: as-is, then the list; none: the list, never as-is',
}
const SILENCE = { stop: 'ends', 'as-is': 'as-is next', next: 'goes on' }
const goesOn = (stops: boolean): string => (stops ? 'ends' : 'goes on')

function rowOf(row: Resolver): string {
  const tries = row.tries === null ? '' : `${row.tries}${row.repeats === null ? '' : `, same ${row.repeats}`}`
  const wait = row.timeout === null ? '' : `${row.timeout / 1e9} s${row.timeoutIsTotal ? ' in all' : ' a try'}`
  const cells = [
    `[${row.name}](${row.source})`,
    row.fits === null ? `not told apart: ${row.shows}` : row.shows,
    ORDER[row.afterEnoughDots],
    goesOn(row.stopsAtNodata),
    goesOn(row.stopsAtServfail),
    SILENCE[row.afterSilence],
    row.legs,
    `per ${row.socket}`,
    row.overTcp ? 'again over TCP' : 'taken as it is',
    tries.replace('same nothing', 'new id and port'),
    wait,
  ]
  return `| ${cells.join(' | ')} |`
}

test('docs/resolvers.md is up to date', async () => {
  const head = [
    'resolver',
    'how packets show it',
    'ndots dots or more',
    'at NODATA the walk',
    'at SERVFAIL',
    'at silence',
    'A and AAAA',
    'ports',
    'cut for UDP (TC)',
    'tries, and what they keep',
    'waits',
  ]
  const text = `# Stub resolvers

How each resolver that \`dnstrail\` knows asks, and what it does with answers; written from \`src/trace/resolvers.ts\`. The first row that fits a
lookup names its resolver; where none fits \`resolver\` is null. What sits on the C library of its image (getent, curl, Python, the JVM, Node's
dns.lookup) is that library. A name with fewer dots than ndots goes through the list first and is asked as it is last, where a row says no other.

| ${head.join(' | ')} |
|${'---|'.repeat(head.length)}
${RESOLVERS.map(rowOf).join('\n')}

glibc's options show too: \`single-request\` (AAAA after A's answer, same port), \`single-request-reopen\` (another port), \`rotate\` (each candidate to
another server), \`edns0\` (OPT 1200), \`trust-ad\` (AD), \`use-vc\` (TCP), \`timeout\` and \`attempts\` (the timer as it is seen). With \`no-aaaa\`, and for
programs that ask for one family, A alone is asked: from one name that looks like several resolvers, and has no label. musl asks
again over TCP from 1.2.4 on; before 1.1.13 it never searches.
`
  await expect(text).toMatchFileSnapshot(`${DOCS}resolvers.md`)
})

test('each resolver has a name of its own, says how it shows and links its source', () => {
  expect(new Set(RESOLVERS.map(({ name }) => name)).size).toBe(RESOLVERS.length)
  for (const { name, shows, source } of RESOLVERS) {
    expect(shows, name).not.toBe('')
    expect(source, name).toMatch(/^https:\/\//)
  }
})
