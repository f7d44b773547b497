/** docs/findings is written from the rules themselves: a page each and a table. `npm run accept` writes what has changed. */
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { RULES } from '../src/findings/rules.ts'
import { explainPage } from '../src/report/explain.ts'
import { RECORDINGS } from './recordings-findings.ts'

const DOCS = fileURLToPath(new URL('../docs/findings/', import.meta.url))
const ROOT = new URL('..', import.meta.url)

test.each(RULES.map(rule => [rule.code, rule] as const))('docs/findings/%s.md is up to date', async (code, rule) => {
  await expect(explainPage(rule)).toMatchFileSnapshot(`${DOCS}${code}.md`)
})

test('the table of findings is up to date', async () => {
  const rows = RULES.map(
    ({ code, title, evidence, severity, shownBy }) =>
      `| [${code}](${code}.md) | ${severity} | ${title} | ${evidence} | ${shownBy.join('; ')} |`,
  )
  const table = ['| finding | at most | | evidence | shown by |', '|---|---|---|---|---|', ...rows].join('\n')
  const text = `# Findings\n\nWhat \`dnstrail\` says about the DNS of a cluster, and on what evidence. \`dnstrail explain CODE\` prints a page of this folder; it is\nwritten from \`src/findings/\`, like these pages. Scenarios (\`test/findings/\`) are small text files with the packets of an incident; recordings\nare captures of a real cluster that are too large for the repository.\n\n${table}\n\n${recordingsTable()}\n`
  await expect(text).toMatchFileSnapshot(`${DOCS}README.md`)
})

/** What the recordings show, and why: also where a finding is not what a recording was made for. */
function recordingsTable(): string {
  const rows = Object.entries(RECORDINGS).flatMap(([recording, shown]) =>
    shown.map(
      ({ code, severity, because }, i) =>
        `| ${i === 0 ? recording : ''} | ${severity} | [${code}](${code}.md) | ${because} |`,
    ),
  )
  return `## What the recordings show\n\nAll captures of a recording read together. A finding stands here only where the packets justify it, whatever the recording was made for;\n01, 02, 03, 08 and 11 are healthy but for their search lists.\n\n${['| recording | severity | finding | because |', '|---|---|---|---|', ...rows].join('\n')}`
}

test('a rule names the recordings that show it, and no others', () => {
  for (const { code, shownBy } of RULES) {
    const named = shownBy.filter(text => text.startsWith('recording')).flatMap(recordingsIn)
    const showing = Object.entries(RECORDINGS)
      .filter(([, shown]) => shown.some(s => s.code === code))
      .map(([recording]) => recording.slice(0, 2))
    expect(named, code).toEqual(showing)
  }
})

/** The numbers in "recordings 01 to 03, 10-busy and 12". */
function recordingsIn(text: string): string[] {
  const range = /(\d\d) to (\d\d)/.exec(text)
  const spanned = range
    ? Array.from({ length: Number(range[2]) - Number(range[1]) + 1 }, (_, i) =>
        String(Number(range[1]) + i).padStart(2, '0'),
      )
    : []
  const single = text.replace(/\d\d to \d\d/, '').match(/\b\d\d(?=-|\b)/g) ?? []
  return [...spanned, ...single].sort()
}

test('there is no page for a finding that is gone', () => {
  const codes = ['README', ...RULES.map(({ code }) => code)]
  expect(readdirSync(DOCS).filter(file => !codes.includes(file.replace(/\.md$/, '')))).toEqual([])
})

test('codes are unique, and what shows a finding exists', () => {
  expect(new Set(RULES.map(({ code }) => code)).size).toBe(RULES.length)
  for (const shown of RULES.flatMap(({ shownBy }) => shownBy).filter(shown => !shown.startsWith('recording'))) {
    const folder = shown.slice(0, shown.lastIndexOf('/') + 1)
    expect(readdirSync(new URL(folder, ROOT)), shown).toContain(shown.slice(folder.length))
  }
})

test('every finding says what, why and what to do, and where to read on', () => {
  for (const { code, title, means, why, todo, evidence, links } of RULES) {
    expect(code).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/)
    expect(title, code).not.toMatch(/\.$/)
    for (const text of [means, why, todo, evidence]) expect(text, code).toMatch(/\.$/)
    expect(links.length, code).toBeGreaterThan(0)
    for (const link of links) expect(link, code).toMatch(/^https:\/\//)
  }
})
