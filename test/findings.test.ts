/**
 * Every finding: a scenario in which it fires with the right numbers, and one close to it (NAME.silent.txt) in which it stays silent.
 * Then the samples, and the recordings of real clusters where the folder with them exists.
 */
import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { analyze } from '../src/analyze.ts'
import { type Examination, examine } from '../src/findings/examine.ts'
import { RULES } from '../src/findings/rules.ts'
import { type Finding, UserError } from '../src/model.ts'
import { RECORDINGS as RECORDINGS_SHOW } from './recordings-findings.ts'
import { readScenario, runScenario } from './scenario.ts'

const FOLDER = fileURLToPath(new URL('findings/', import.meta.url))
const ROOT = fileURLToPath(new URL('..', import.meta.url))
const RECORDINGS = fileURLToPath(new URL('../../shared/captures/', import.meta.url))
const CORPORA = fileURLToPath(new URL('../../shared/corpora/captures/', import.meta.url))

/** A finding in the words of an expectation: only what the expectation names, so that a line says what it is about. */
function describeFinding(finding: Finding, expectation: string): string {
  const known: Record<string, string> = {
    count: String(finding.count),
    share: String(finding.share),
    clients: finding.clients.join(','),
    servers: finding.servers.join(','),
    frames: String(finding.frames.length),
    confidence: finding.confidence,
  }
  const details = expectation
    .split(/\s+/)
    .slice(2)
    .map(detail => detail.split('=')[0])
  return [finding.severity, finding.code, ...details.map(key => `${key}=${known[key] ?? '?'}`)].join(' ')
}

describe('scenarios', () => {
  for (const file of readdirSync(FOLDER).sort()) {
    const scenario = readScenario(FOLDER + file)
    test(`${file}: ${scenario.title}`, () => {
      let examination: Examination | null = null
      runScenario(scenario, world => {
        examination = examine(world)
        return examination
      })
      const findings = (examination as Examination | null)?.conclude() ?? []
      expect(findings.map((finding, i) => describeFinding(finding, scenario.findings[i] ?? ''))).toEqual(
        scenario.findings,
      )
      const said = findings.map(({ what, why, advice }) => `${what} ${why} ${advice}`).join('\n')
      for (const text of scenario.says) expect(said).toContain(text)
    })
  }
})

test('every finding has a scenario in which it fires and one in which it stays silent', () => {
  const files = readdirSync(FOLDER)
  const codes = RULES.map(({ code }) => code)
  expect(codes.filter(code => !files.includes(`${code}.txt`))).toEqual([])
  expect(codes.filter(code => !files.includes(`${code}.silent.txt`))).toEqual([])
  for (const code of codes) {
    const fires = (file: string) => readScenario(FOLDER + file).findings.some(line => line.split(' ')[1] === code)
    expect(fires(`${code}.txt`), code).toBe(true)
    expect(fires(`${code}.silent.txt`), code).toBe(false)
  }
})

// -- Real packets -----------------------------------------------------------------------------------------------------------------

async function findingsOf(files: string[]): Promise<Finding[]> {
  const report = await analyze({
    files,
    filters: { namespace: null, pod: null, name: null, since: null, until: null },
    hints: { resources: null, roles: [], resolvConf: null, clusterDomain: null },
  } as Parameters<typeof analyze>[0])
  return report.findings
}

const codesOf = (findings: Finding[], severity: Finding['severity']): string[] =>
  findings.filter(finding => finding.severity === severity).map(({ code }) => code)

const capturesOf = (folder: string): string[] =>
  readdirSync(folder)
    .filter(file => /\.pcap(ng)?(\.gz)?$/.test(file))
    .sort()
    .map(file => `${folder}/${file}`)

test.each([
  ['04-upstreams-disagree.pcap', ['upstreams-disagree']],
  ['06-lost-legs', ['five-second-wait']],
  ['01-glibc-clusterip.pcap', []],
  ['02-nodelocal', []],
])('the sample %s raises the problems %j', async (sample, problems) => {
  const path = `${ROOT}/samples/${sample}`
  expect(codesOf(await findingsOf(sample.endsWith('.pcap') ? [path] : capturesOf(path)), 'problem')).toEqual(problems)
})

describe.skipIf(!existsSync(RECORDINGS))('recordings', () => {
  test.each(Object.entries(RECORDINGS_SHOW))(
    '%s shows what the table says, and nothing else',
    { timeout: 60_000 },
    async (recording, shown) => {
      const findings = await findingsOf(capturesOf(RECORDINGS + recording))
      const told = (of: { severity: string; code: string }[]): string[] => of.map(f => `${f.severity} ${f.code}`).sort()
      expect(told(findings)).toEqual(told(shown))
    },
  )

  test.each([
    ['04-upstreams-disagree', 'upstreams-disagree'],
    ['05-coredns-down', 'coredns-unreachable'],
  ])('%s raises %s from one node alone', async (recording, code) => {
    const findings = await findingsOf([`${RECORDINGS}${recording}/node-b-any.pcap`])
    expect(codesOf(findings, 'problem')).toEqual([code])
  })

  test('healthy recordings warn of nothing but waste', async () => {
    const waste = ['ndots-waste', 'useless-suffix', 'waste-leaves-cluster', 'service-name-without-dot', 'aaaa-useless']
    for (const recording of ['01-glibc-clusterip', '02-nodelocal', '03-clients', '08-dualstack-ipv6', '11-autopath']) {
      const warnings = codesOf(await findingsOf(capturesOf(RECORDINGS + recording)), 'warning')
      expect(
        warnings.filter(code => !waste.includes(code)),
        recording,
      ).toEqual([])
    }
  })
})

/**
 * Captures of strangers, none of them from a cluster. What would be said of them above info has to hold for the capture; so far nothing
 * is. A finding that holds gets a line here: the capture's path, the finding and why it is right.
 */
const JUSTIFIED: Record<string, string> = {}

describe.skipIf(!existsSync(CORPORA))("strangers' captures without Kubernetes", () => {
  test('raise no false alarm', { timeout: 120_000 }, async () => {
    const alarms: string[] = []
    for (const file of filesIn(CORPORA)) {
      const findings = await findingsOf([CORPORA + file]).catch(error => {
        if (error instanceof UserError) return []
        throw error
      })
      for (const { code, severity, what } of findings)
        if (severity !== 'info' && JUSTIFIED[`${file} ${code}`] === undefined) alarms.push(`${file} ${code}: ${what}`)
    }
    expect(alarms).toEqual([])
  })
})

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => `${entry.parentPath}/${entry.name}`.slice(folder.length))
    .sort()
