/**
 * Kinds of clusters, one file each in test/clusters: what stands in the path there, who is who and why, how hops are linked, and that no
 * finding takes the set-up itself for a fault. Each says where its facts come from. Of the hops those stand there that a line begins with.
 */
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { type Examination, examine } from '../src/findings/examine.ts'
import { endpointsOf } from '../src/report/assemble.ts'
import { describeEndpoint, describeHop, describeLookup, readScenario, traceScenario } from './scenario.ts'

const FOLDER = fileURLToPath(new URL('clusters/', import.meta.url))

describe('clusters', () => {
  for (const file of readdirSync(FOLDER).sort()) {
    const scenario = readScenario(FOLDER + file)
    test(`${file}: ${scenario.title}`, () => {
      let examination: Examination | null = null
      const { trace, context, records, hops } = traceScenario(scenario, world => {
        examination = examine(world)
        return examination
      })
      const endpoints = endpointsOf(trace, context)
      expect(endpoints.map((row, i) => describeEndpoint(row, scenario.endpoints[i] ?? ': '))).toEqual(
        scenario.endpoints,
      )
      if (scenario.expected.length > 0)
        expect(records.map((record, i) => describeLookup(record, scenario.expected[i] ?? ''))).toEqual(
          scenario.expected,
        )
      const wanted = hops.filter(({ from, to, qtype, qname }) =>
        scenario.hops.some(line => line.startsWith(`${from.address} ${to.address} ${qtype} ${qname} `)),
      )
      expect(wanted.map((hop, i) => describeHop(hop, wanted, records, scenario.hops[i] ?? ''))).toEqual(scenario.hops)
      const findings = (examination as Examination | null)?.conclude() ?? []
      expect(findings.map(({ severity, code }) => `${severity} ${code}`)).toEqual(scenario.findings)
      const said = findings.map(({ what }) => what).join('\n')
      for (const text of scenario.says) expect(said).toContain(text)
    })
  }
})
