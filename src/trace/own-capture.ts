/**
 * Captures that show one client alone, which sent all that it asked: taken in its pod, or on a host where nobody else asks. A node's own
 * capture shows its pods, too.
 */
import { type AddressId, OUTGOING } from '../model.ts'
import type { Transaction } from './transaction.ts'

/** A client has an address of each family; with more there are several. */
const MOST_ADDRESSES = 3

export class OwnCaptures {
  /** By file the clients that ask in it, as far as they matter. */
  private readonly askers: AddressId[][] = []
  /** By client the files in which its queries begin. */
  private readonly begins = new Map<AddressId, Set<number>>()
  private lastClient = -1
  private lastFile = -1

  note({ client, file, direction }: Transaction): void {
    if (client === this.lastClient && file === this.lastFile) return
    this.lastClient = client
    this.lastFile = file
    this.askers[file] ??= []
    const askers = this.askers[file]
    if (askers.length < MOST_ADDRESSES && !askers.includes(client)) askers.push(client)
    if (direction !== OUTGOING || askers.length === MOST_ADDRESSES) return
    const files = this.begins.get(client)
    if (files) files.add(file)
    else this.begins.set(client, new Set([file]))
  }

  /** Whether its queries begin in captures in which nobody else asks. `hostOf`: the one address of a host that has two. */
  isAlone(client: AddressId, hostOf: (address: AddressId) => AddressId): boolean {
    const host = hostOf(client)
    const files = this.begins.get(client)
    if (files === undefined) return false
    for (const file of files)
      if (this.askers[file].length === MOST_ADDRESSES || this.askers[file].some(asker => hostOf(asker) !== host))
        return false
    return true
  }
}
