/** Every capture in samples/ gives the report that was accepted for it. A folder is one incident seen from several vantage points. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { analyze } from '../src/analyze.ts'
import { reportText } from '../src/report/text.ts'

const ROOT = new URL('..', import.meta.url)
const SAMPLES = fileURLToPath(new URL('samples', ROOT))
const CAPTURE = /\.(pcap|pcapng|cap)(\.\w+)?$/
const REPORT = /\.report\.txt$/
const WIDTH = 80
/** `npm run accept` writes the reports that are missing; `npm test` does not, so that none is accepted unread. */
const ACCEPTING = process.env.npm_lifecycle_event === 'accept'

/** Files as a user at the root of the repository would name them. */
function samples(): { name: string; files: string[] }[] {
  return readdirSync(SAMPLES).flatMap(entry => {
    if (CAPTURE.test(entry)) return [{ name: entry.replace(CAPTURE, ''), files: [`samples/${entry}`] }]
    if (!statSync(`${SAMPLES}/${entry}`).isDirectory()) return []
    const captures = readdirSync(`${SAMPLES}/${entry}`).filter(file => CAPTURE.test(file))
    return [{ name: entry, files: captures.map(file => `samples/${entry}/${file}`).sort() }]
  })
}

const reportOf = (name: string) => `${SAMPLES}/${name}.report.txt`

describe.each(samples())('$name', ({ name, files }) => {
  test.skipIf(!ACCEPTING && !existsSync(reportOf(name)))(
    'gives its accepted report (skipped where none is accepted yet: npm run accept)',
    async () => {
      const report = await analyze({
        files,
        filters: { namespace: null, pod: null, name: null, since: null, until: null },
        hints: { resources: null, roles: [], resolvConf: null, clusterDomain: null },
      })
      const text = reportText(report, { width: WIDTH, color: false })
      expect(text.split('\n').filter(line => line.length > WIDTH)).toEqual([])
      await expect(text).toMatchFileSnapshot(reportOf(name))
    },
  )
})

test('every accepted report belongs to a sample, and samples/README.md tells of every sample', () => {
  const names = samples().map(({ name }) => name)
  const accepted = readdirSync(SAMPLES).filter(entry => REPORT.test(entry))
  expect(accepted.map(entry => entry.replace(REPORT, '')).filter(name => !names.includes(name))).toEqual([])
  const readme = readFileSync(`${SAMPLES}/README.md`, 'utf8')
  expect(names.filter(name => !new RegExp(`^\\| ${name}[./]`, 'm').test(readme))).toEqual([])
})

test('the README shows the accepted report of a sample, as far as it shows it', () => {
  const block = /<!-- report -->\n```text\n\$ .*\n\n([\s\S]*?)```\n<!-- \/report -->/.exec(
    readFileSync(new URL('README.md', ROOT), 'utf8'),
  )
  expect(block).not.toBeNull()
  const accepted = reportOf('06-lost-legs')
  if (existsSync(accepted)) expect(readFileSync(accepted, 'utf8')).toContain(block![1].trimEnd())
})
