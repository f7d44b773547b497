/** What leaves the table of open transactions, and when. */
import { expect, test } from 'vitest'
import { OpenTable } from '../src/trace/open-table.ts'
import { OPEN, type Transaction, UNANSWERED } from '../src/trace/transaction.ts'
import { Transactions } from '../src/trace/transactions.ts'

const SECOND = 1e9

function begin(table: OpenTable, transactions: Transactions, number: number, time: number): Transaction {
  const t = transactions.take(0, 0, number)
  t.number = number
  t.client = number % 7
  t.clientPort = number & 0xffff
  t.dnsId = (number * 31) & 0xffff
  t.qname = number % 100
  t.start = t.lastQuery = time
  table.add(t)
  return t
}

test('queries that others gave up make no room scarce for those that come later', () => {
  const transactions = new Transactions(true)
  const table = new OpenTable(transactions)
  for (let i = 0; i < 100_000; i++) {
    const t = begin(table, transactions, i, (i * SECOND) / 100)
    table.sweep(t.start)
    t.state = UNANSWERED
  }
  expect(table.givenUp).toBe(0)
  expect(table.pending.length).toBeLessThan(4000)
})

test('what grows keeps the order of those with one client, port and id, and forgets each in its time', () => {
  const transactions = new Transactions(false)
  const table = new OpenTable(transactions)
  const all = Array.from({ length: 20_000 }, (_, i) => {
    const t = begin(table, transactions, i % 10_000, i)
    t.number = i
    return t
  })
  const [first] = all
  expect(table.find(first.client, first.clientPort, first.dnsId)).toBe(2)
  expect(table.found.slice(0, 2)).toEqual([all[10_000], first])
  table.close(first, SECOND)
  table.sweep(1.5 * SECOND)
  expect(table.find(first.client, first.clientPort, first.dnsId)).toBe(2)
  table.sweep(3 * SECOND)
  expect(table.find(first.client, first.clientPort, first.dnsId)).toBe(1)
  expect(table.found[0]).toBe(all[10_000])
  table.sweep(40 * SECOND)
  expect(table.pending).toEqual([])
  expect(all.filter(t => t.state === OPEN)).toEqual([first])
})

test('the latest with a question is found, whenever it is first asked for', () => {
  const transactions = new Transactions(false)
  const table = new OpenTable(transactions)
  const early = begin(table, transactions, 1, 0)
  const late = begin(table, transactions, 2, 1)
  late.qname = early.qname
  const at = late.dnsId
  expect(table.latest(early.qname, at)).toBe(late)
  const again = begin(table, transactions, 2, 2)
  expect(table.latest(again.qname, at)).toBe(again)
  expect(table.latest(early.qname, early.dnsId)).toBe(early)
})
