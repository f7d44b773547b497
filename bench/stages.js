// @ts-check
/**
 * node bench/stages.js messages|transactions FILE
 *
 * The first steps of the pipeline alone: reading and decoding, and pairing queries with responses. They tell how much of the time no
 * diagnosis can save, so they stand in bench.js' tables beside the other tools.
 */
const DIST = new URL('../dist/', import.meta.url)
/** @param {string} name */
const load = name => import(new URL(name, DIST).href)

const [stage, file] = process.argv.slice(2)
const { readCaptures } = await load('input/merge.js')
const { Issues } = await load('wire/issues.js')
const { newTables } = await load('wire/tables.js')
const tables = newTables()
let messages = 0
let transactions = 0
const pair = stage === 'transactions' ? await pairing() : null
await readCaptures(
  [file],
  { keepBytes: false, tables, issues: new Issues() },
  /** @param {import('../src/model.ts').Messages} m @param {number} row */ (m, row) => {
    messages++
    pair?.(m, row)
  },
)
process.stdout.write(`${messages} messages, ${transactions} transactions\n`)

async function pairing() {
  const { Matching } = await load('trace/matching.js')
  const { OneWay } = await load('trace/one-way.js')
  const { Transactions } = await load('trace/transactions.js')
  const pool = new Transactions(true)
  /** @param {import('../src/trace/transaction.ts').Transaction} t */
  const take = t => {
    transactions++
    pool.release(t)
  }
  const matching = new Matching(tables, pool, new OneWay(tables.names), take, null)
  /** @param {import('../src/model.ts').Messages} m @param {number} row */
  return (m, row) => matching.add(m, row)
}
