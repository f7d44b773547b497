/** The lookup: one question by an application, as the candidates that its stub resolver tried and the transactions of each. */
import type { AddressId, NameId, Outcome, Time } from '../model.ts'
import type { LoneResponse } from './lone-responses.ts'
import type { Transaction } from './transaction.ts'

/** One fully expanded name that the stub resolver tried. */
export interface Candidate {
  name: string
  qname: NameId
  /** All that was asked for it: legs, retries, fan-out, TCP after truncation. In order of start. */
  transactions: Transaction[]
  /** What came of its other leg, whose query was not captured; null without. */
  lone: LoneResponse | null
}

export interface Lookup {
  /** Counts from 1 in order of start. */
  number: number
  client: AddressId
  candidates: Candidate[]
  start: Time
  /** Time of its latest query. */
  latest: Time
  /** While it is open: length of the base that its first step settled, 0 before; and since when nothing can join it, NaN while that may change. */
  settledBase: number
  closesAt: Time
  /** The latest query that joined it as a retry of one family, though the capture shows that one answered; null without. */
  loneRetry: Transaction | null
  /** Its client had another one under way for a name that begins alike: candidates of the two may be exchanged. */
  crowded: boolean

  /** All of its candidates, once somebody asked for them when it was closed: `transactionsOf`. */
  transactions: Transaction[] | null

  // Known when it is closed (outcome.ts, resolvers.ts, waste.ts).
  /** Candidates, or a family, are missing that its client asked another server for, which was not captured; or nobody can tell. */
  partial: boolean
  /** The name as the application gave it. */
  base: string
  /** False where the wire cannot tell; then `alternatives` are what else it can have been. */
  certain: boolean
  alternatives: string[]
  /** Search domain of each candidate; null for as-is. */
  suffixes: (string | null)[]
  searchList: readonly string[]
  ndots: { min: number | null; max: number | null }
  resolver: string | null
  outcome: Outcome
  /** One for each candidate. */
  outcomes: Outcome[]
  /** Index of the deciding candidate. */
  deciding: number
  /** When the application had its answer; NaN while nothing came back. */
  end: Time
  /** Nanoseconds; NaN where it cannot be known. */
  wait: Time
  /** True where the stub's own timer ended the wait, not a message. */
  waitInferred: boolean
}

export const newCandidate = (name: string, t: Transaction): Candidate => ({
  name,
  qname: t.qname,
  transactions: [t],
  lone: null,
})

/** Most candidates have two transactions, and an array that is pushed to takes room for eighteen. */
export function addTransaction(candidate: Candidate, t: Transaction): void {
  const { transactions } = candidate
  if (transactions.length === 1) candidate.transactions = [transactions[0], t]
  else transactions.push(t)
}

export function newLookup(number: number, t: Transaction, name: string): Lookup {
  return {
    number,
    client: t.client,
    candidates: [newCandidate(name, t)],
    start: t.start,
    latest: t.start,
    settledBase: 0,
    closesAt: Number.NaN,
    loneRetry: null,
    crowded: false,
    transactions: null,
    partial: false,
    base: name,
    certain: true,
    alternatives: [],
    suffixes: [],
    searchList: [],
    ndots: { min: null, max: null },
    resolver: null,
    outcome: 'other',
    outcomes: [],
    deciding: 0,
    end: Number.NaN,
    wait: Number.NaN,
    waitInferred: false,
  }
}

/** All transactions of a lookup that is closed, candidate by candidate. */
export function transactionsOf(lookup: Lookup): readonly Transaction[] {
  if (lookup.transactions !== null) return lookup.transactions
  const { candidates } = lookup
  if (candidates.length === 1) lookup.transactions = candidates[0].transactions
  else {
    lookup.transactions = []
    for (const { transactions } of candidates) for (const t of transactions) lookup.transactions.push(t)
  }
  return lookup.transactions
}
