/** Every scenario in test/scenarios: what was on the wire and what it must come to. A new one is a new file. */
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { describeHop, describeLookup, readScenario, traceScenario } from './scenario.ts'

const FOLDER = fileURLToPath(new URL('scenarios/', import.meta.url))

describe('scenarios', () => {
  for (const file of readdirSync(FOLDER).sort()) {
    const scenario = readScenario(FOLDER + file)
    test(`${file}: ${scenario.title}`, () => {
      const { records, hops } = traceScenario(scenario)
      const got = records.map((record, i) => describeLookup(record, scenario.expected[i] ?? ''))
      expect(got).toEqual(scenario.expected)
      if (scenario.hops.length > 0)
        expect(hops.map((hop, i) => describeHop(hop, hops, records, scenario.hops[i] ?? ''))).toEqual(scenario.hops)
      for (const { queries, waste } of records) {
        const { search, fanOut, retransmission, truncation, family } = waste
        expect(search + fanOut + retransmission + truncation + family).toBeLessThanOrEqual(queries)
      }
    })
  }
})
