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
  for (const field of Object.keys(used)) if (field !== 'rare') Object.assign(used, { [field]: 'left over' })
  used.renew(4, 0, 17)
  for (const field of Object.keys(used)) {
    if (field === 'rare' || OF_THE_QUERY.includes(field)) continue
    expect([field, used[field as keyof Transaction]]).toEqual([field, fresh[field as keyof Transaction]])
  }
})

test('what only few have is gone as well', () => {
  const used = new Transaction()
  used.renew(4, 0, 17)
  for (let i = 0; i < 4; i++) {
    used.addFrame(1, i)
    used.addQueryVantage(i)
    used.addResponseVantage(i)
  }
  used.resend(1e9, 9, 2, true)
  Object.assign(used, { onWire: 3, sinceSyn: 4, answers: ['192.0.2.1'], duplicates: 5, aliasKey: 6 })
  used.renew(4, 0, 17)
  const { frames, onWire, sinceSyn, answers, duplicates, aliasKey, resent, triesAt, firstTranslated } = used
  expect([frames, onWire, sinceSyn, answers, duplicates, aliasKey]).toEqual([[0, 17], -1, Number.NaN, null, 0, -1])
  expect([resent, triesAt, firstTranslated, used.framesOfFirstTry]).toEqual([null, null, false, 0])
  expect([0, 1, 2, 3, 4].map(vantage => used.querySeenAt(vantage))).toEqual([false, false, false, false, true])
  expect([0, 1, 2, 3].some(vantage => used.responseSeenAt(vantage))).toBe(false)
  expect([used.framesLength, used.seenIn(1), used.otherFile(0)]).toEqual([2, false, -1])
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
