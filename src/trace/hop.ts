/** A hop: a transaction with the roles of both ends, and what else is known of it when it is closed. */
import type { AddressId, Role, ServedFrom } from '../model.ts'
import type { Lookup } from './lookup.ts'
import type { Transaction } from './transaction.ts'

/** What is known of a hop beside its transaction. */
export interface Hop {
  transaction: Transaction
  /** Null for a hop that no lookup caused. */
  lookup: Lookup | null
  /** The asker's address as an endpoint: of a forwarder, the address that it answers on. */
  from: AddressId
  forwarder: boolean
  /** The server's role, as far as it is known by now. */
  role: Role
  ownMs: number | null
  /** The network's part of the wait; null unless both ends were captured. */
  networkMs: number | null
  servedFrom: ServedFrom | null
  /** Whether a forwarder had it in its cache; null where nobody can tell. */
  fromCache: boolean | null
}

/** False for the servers' own checks, and for what nobody could read: they are in no sum. */
export const isCounted = ({ lookup, transaction }: Hop): boolean =>
  lookup !== null || !(transaction.infrastructure || transaction.nameCut)
