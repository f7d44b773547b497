/** Transactions are used again: nothing of the one before may be left in them. */
import { expect, test } from 'vitest'
import { Transaction } from '../src/trace/transaction.ts'
import { kept, Transactions } from '../src/trace/transactions.ts'

/** What matching.ts sets for every query, and `number`, which it counts. */
const OF_THE_QUERY = [
  'number',
  'client',
  'clientPort',
  'seen',
  'asked',
  'server',
  'dnsId',
  'qname',
  'qtype',
  'qclass',
  'edns',
  'ipId',
  'querySize',
  'start',
  'lastQuery',
  'lastQueryAtServer',
  // Set when it enters the open table, and left alone when it leaves.
  'slot',
  'holders',
]

test('a transaction that is used again is like a new one', () => {
  const fresh = new Transaction()
  fresh.renew(4, 0, 17)
  const used = new Transaction()
  for (const field of Object.keys(used)) Object.assign(used, { [field]: 'left over' })
  used.renew(4, 0, 17)
  for (const field of Object.keys(used)) {
    if (OF_THE_QUERY.includes(field)) continue
    expect([field, used[field as keyof Transaction]]).toEqual([field, fresh[field as keyof Transaction]])
  }
})

test('it is used again when the last holder has let go, and not where somebody keeps it', () => {
  const transactions = new Transactions(true)
  const first = transactions.take(0, 0, 1)
  transactions.release(first)
  expect(transactions.take(0, 0, 2)).not.toBe(first)
  transactions.release(first)
  expect(transactions.take(0, 0, 3)).toBe(first)
  kept(first)
  transactions.release(first)
  transactions.release(first)
  expect(transactions.take(0, 0, 4)).not.toBe(first)
})
