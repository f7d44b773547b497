/** The lookup: one question by an application, as the candidates that its stub resolver tried and the transactions of each. */
import type { AddressId, Outcome, Time } from '../model.ts'
import type { Transaction } from './transaction.ts'

/** One fully expanded name that the stub resolver tried. */
export interface Candidate {
  name: string
  /** All that was asked for it: legs, retries, fan-out, TCP after truncation. In order of start. */
  transactions: Transaction[]
}

export interface Lookup {
  /** Counts from 1 in order of start. */
  number: number
  client: AddressId
  candidates: Candidate[]
  start: Time
  /** Time of its latest query. */
  latest: Time

  // Known when it is closed (outcome.ts, resolvers.ts, waste.ts).
  /** The name as the application gave it. */
  base: string
  /** False where the wire cannot tell; then `alternatives` are what else it can have been. */
  certain: boolean
  alternatives: string[]
  /** Search domain of each candidate; null for as-is. */
  suffixes: (string | null)[]
  searchList: string[]
  ndots: { min: number | null; max: number | null }
  resolver: string | null
  outcome: Outcome
  /** Index of the deciding candidate. */
  deciding: number
  /** When the application had its answer; NaN while nothing came back. */
  end: Time
  /** Nanoseconds; NaN where it cannot be known. */
  wait: Time
  /** True where the stub's own timer ended the wait, not a message. */
  waitInferred: boolean
}

export function newLookup(number: number, t: Transaction, name: string): Lookup {
  return {
    number,
    client: t.client,
    candidates: [{ name, transactions: [t] }],
    start: t.start,
    latest: t.start,
    base: name,
    certain: true,
    alternatives: [],
    suffixes: [],
    searchList: [],
    ndots: { min: null, max: null },
    resolver: null,
    outcome: 'other',
    deciding: 0,
    end: Number.NaN,
    wait: Number.NaN,
    waitInferred: false,
  }
}

export function* transactionsOf(lookup: Lookup): Generator<Transaction> {
  for (const candidate of lookup.candidates) yield* candidate.transactions
}
