/** Which IPv4 and IPv6 addresses are one host's, by the link-layer address that both are seen behind. */
import { expect, test } from 'vitest'
import { DNS_MESSAGE } from '../src/model.ts'
import { Twins } from '../src/trace/twins.ts'
import { newMessages } from '../src/wire/messages.ts'
import { newTables } from '../src/wire/tables.ts'

function seen(rows: [address: string, link: number, ttl: number][]) {
  const { addresses } = newTables()
  const twins = new Twins(addresses)
  const m = newMessages(1, false)
  for (const [address, link, ttl] of rows) {
    m.kind[0] = DNS_MESSAGE
    m.from[0] = addresses.internText(address)
    m.linkSource[0] = link
    m.ttl[0] = ttl
    twins.note(m, 0)
  }
  return (one: string, other: string): boolean => twins.areOne(addresses.internText(one), addresses.internText(other))
}

test('one address of each family behind one link-layer address are one host', () => {
  const areOne = seen([
    ['10.244.0.11', 7, 64],
    ['fd00::11', 7, 64],
    ['10.244.0.12', 8, 64],
  ])
  expect(areOne('10.244.0.11', 'fd00::11')).toBe(true)
  expect(areOne('10.244.0.12', 'fd00::11')).toBe(false)
})

test.each<[string, [string, number, number][]]>([
  [
    'what a router sent on bears the address of the router',
    [
      ['10.244.0.11', 7, 63],
      ['fd00::11', 7, 63],
    ],
  ],
  [
    'a bridge that translates sends for many, and none of them are one',
    [
      ['10.244.0.11', 7, 64],
      ['fd00::11', 7, 64],
      ['10.244.0.12', 7, 64],
    ],
  ],
  [
    'without a link-layer address nothing is known',
    [
      ['10.244.0.11', 0, 64],
      ['fd00::11', 0, 64],
    ],
  ],
])('%s', (_, rows) => {
  expect(seen(rows)('10.244.0.11', 'fd00::11')).toBe(false)
})
