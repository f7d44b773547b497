/** Keys of tables whose sums are by an address and something else: a name, or another address. Numbers, as no text is made per query. */
import type { AddressId } from '../model.ts'

/** More than there are addresses (wire/tables.ts). Ids of names are below 2^31, so a pair is a whole number. */
const ADDRESSES = 0x200000

/** The key of an id, or of another key below 2^32, with an address. */
export const pairOf = (id: number, address: AddressId): number => id * ADDRESSES + address

/** What `pairOf` was given. */
export const idIn = (pair: number): number => Math.floor(pair / ADDRESSES)
export const addressIn = (pair: number): AddressId => pair % ADDRESSES
