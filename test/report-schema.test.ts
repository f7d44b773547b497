/** The documented JSON is the JSON that is written: nothing missing, and nothing that the schema does not describe. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect, test } from 'vitest'
import type { Options } from '../src/analyze.ts'
import { compare } from '../src/compare.ts'
import type { FlowSums } from '../src/report/report-types.ts'
import { whatIfOf } from '../src/report/what-if/record.ts'
import { NO_CHANGE } from '../src/trace/change.ts'
import { EMPTY_REPORT, FINDING, GLANCE, HOP, lookup, MESSAGE, REPORT } from './fixtures/report.ts'
import { readScenario, traceScenario } from './scenario.ts'

const FOLDER = new URL('../docs/schema/', import.meta.url)
const schemas = readdirSync(FOLDER).map(name => JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8')))

/** A reader may meet new fields in a later version, so the schemas are open; our own tests close them. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed)
  if (typeof schema !== 'object' || schema === null) return schema
  const copy = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]))
  return 'properties' in copy && 'required' in copy ? { ...copy, additionalProperties: false } : copy
}

const ajv = new Ajv2020({
  strict: true,
  allowUnionTypes: true,
  allErrors: true,
  schemas: schemas.map(closed) as object[],
})

function errors(schema: string, value: unknown): unknown {
  const validate = ajv.getSchema(`${schema}.schema.json`)!
  validate(JSON.parse(JSON.stringify(value)))
  return validate.errors ?? []
}

const optionsFor = (file: string): Options => ({
  files: [file],
  filters: { namespace: null, pod: null, name: null, since: null, until: null },
  hints: { resources: null, roles: [], resolvConf: null, clusterDomain: null },
})
const FOLDER_OF_SCENARIOS = fileURLToPath(new URL('what-if/', import.meta.url))
const { trace, context } = traceScenario(readScenario(`${FOLDER_OF_SCENARIOS}drop-suffix-breaks.txt`))
/** With names that stop, and everything to paste. */
const WHAT_IF = whatIfOf(trace, context, { ...NO_CHANGE, dropSuffix: ['corp.example'], autopath: true })

const { comparison: COMPARISON } = await compare(
  optionsFor('samples/06-lost-legs/node-a.pcap'),
  optionsFor('samples/04-upstreams-disagree.pcap'),
)

const pair = { client: '10.8.1.21', clientName: 'shop/cart', server: '10.8.3.5', serverName: null, events: 9 }
const drops = [{ reason: 'POLICY_DENIED', packets: 2, nodes: ['node-a'] }]
const tcpFlags = { syn: 3, synAck: 2, fin: 1, rst: 1 }
const FLOWS: FlowSums = {
  events: 18,
  pairs: [
    { ...pair, transport: 'tcp', conversations: 3, unanswered: 1, reset: 1, tcpFlags, drops },
    { ...pair, transport: 'udp', conversations: 3, unanswered: null, reset: null, tcpFlags: null, drops: [] },
  ],
}

test.each([
  [
    'report',
    { ...REPORT, findings: [FINDING], translations: [{ asked: '10.96.0.10', served: '10.244.1.5', count: 93 }] },
  ],
  ['report', EMPTY_REPORT],
  ['report', { ...REPORT, flows: FLOWS }],
  ['lookup', lookup({ id: 'L1' })],
  ['lookup', lookup({ id: 'L1', end: null, waitMs: null, resolver: null, outcome: 'capture-ended' })],
  ['hop', HOP],
  [
    'hop',
    { ...HOP, lookup: null, rcode: null, waitMs: null, serverMs: null, ownMs: null, servedFrom: null, dnsId: null },
  ],
  ['message', MESSAGE],
  ['what-if', WHAT_IF],
  ['compare', COMPARISON],
  ['glance', GLANCE],
  ['show', { lookup: lookup({ id: 'L17' }), hops: [HOP] }],
  ['show', { lookup: lookup({ id: 'L17' }), hops: [], messages: [{ hop: 'T1', message: MESSAGE, bytes: '00ff' }] }],
])('a %s is as documented', (schema, value) => {
  expect(errors(schema, value)).toEqual([])
})

test.each([
  ['lookup', { ...lookup({ id: 'L1' }), outcome: 'no such name' }],
  ['lookup', { ...lookup({ id: 'L1' }), start: '2026-11-21 02:51:09' }],
  ['lookup', { ...lookup({ id: 'L1' }), waitMs: '43 ms' }],
  ['lookup', { ...lookup({ id: 'L1' }), secret: 1 }],
  ['hop', { ...HOP, frames: [{ file: 'a.pcap', number: 0 }] }],
  ['message', { ...MESSAGE, counts: [1, 0, 0] }],
  ['glance', { ...GLANCE, seconds: 0 }],
  ['show', { lookup: lookup({ id: 'L17' }), hops: [{}] }],
  ['what-if', { ...WHAT_IF, before: { ...WHAT_IF.before, queries: '9' } }],
])('a %s that is not as documented is noticed', (schema, value) => {
  expect(errors(schema, value)).not.toEqual([])
})

test('every field is described', () => {
  const walk = (schema: unknown, path: string): string[] => {
    if (typeof schema !== 'object' || schema === null) return []
    return Object.entries(schema).flatMap(([key, value]) => {
      if (key !== 'properties') return walk(value, `${path}/${key}`)
      return Object.entries(value as Record<string, object>).flatMap(([name, field]) => [
        ...('description' in field || '$ref' in field ? [] : [`${path}/${name}`]),
        ...walk(field, `${path}/${name}`),
      ])
    })
  }
  expect(schemas.flatMap(schema => walk(schema, schema.$id))).toEqual([])
})
