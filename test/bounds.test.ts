/** What keeps memory bounded: small tables and sums that many names and clients have one of. */
import { expect, test } from 'vitest'
import { Conversations } from '../src/input/hubble-conversations.ts'
import { TCP } from '../src/model.ts'
import { Histogram } from '../src/trace/quantiles.ts'
import { leads, type Observations, observationOf } from '../src/trace/search-path.ts'

test('a few samples have the quantiles that many have', () => {
  const waits = [0.3, 0.31, 5, 12, 0.3, 4000]
  const few = new Histogram()
  for (const wait of waits) few.add(wait)
  const many = new Histogram()
  for (let i = 0; i < 10; i++) many.merge(few)
  expect(many.count).toBe(60)
  expect(many.quantiles).toEqual(few.quantiles)
  expect(many.countAbove(10)).toBe(10 * few.countAbove(10))
})

test('a client that asks for hundreds of names with one first label has a bounded number of steps', () => {
  const steps: Observations = []
  for (let i = 0; i < 10; i++) observationOf(steps, 'svc.cluster.local', 'cluster.local', 'api').count++
  for (let i = 0; i < 1000; i++) observationOf(steps, `a${i}.com`, `b${i}.com`, 'www').count++
  expect(steps.length).toBeLessThanOrEqual(256)
  expect(leads(steps, 'svc.cluster.local', 'cluster.local')).toBe(true)
  expect(leads(steps, 'a999.com', 'b999.com')).toBe(true)
})

test('flows of more pairs than are told apart are counted, and whoever adds them is told', () => {
  const conversations = new Conversations()
  const flow = {
    clientPort: 0,
    server: 1,
    transport: TCP,
    reply: false,
    flags: 0,
    tracked: true,
    dropped: null,
    verdictOnly: false,
    node: null,
    time: 0,
  }
  for (let client = 2; client < 50_002; client++) expect(conversations.add({ ...flow, client })).toBe(true)
  expect([conversations.add({ ...flow, client: 7 }), conversations.add({ ...flow, client: 60_000 })]).toEqual([
    true,
    false,
  ])
  expect([conversations.events, conversations.finish().length]).toEqual([50_002, 50_000])
})
