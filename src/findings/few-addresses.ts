/** A handful of addresses, of which there is one list for each of thousands of names: as a Set each would take 200 bytes and more. */
import type { AddressId } from '../model.ts'

export type FewAddresses = readonly AddressId[]

export const NOBODY: FewAddresses = []

/** They and that one, as far as `most` go. */
export const withAddress = (few: FewAddresses, address: AddressId, most: number): FewAddresses =>
  few.length >= most || few.includes(address) ? few : few.concat(address)
