/**
 * Where transactions come from and go to. Three stages hold on to one: the open table while messages may still belong to it,
 * forwarding.ts while it may be the cause of others, and the trace until its hop is told. Who keeps one for longer says so (`keep`).
 */
import { Transaction } from './transaction.ts'

/** More holders than ever let go; a small integer, as fields of other numbers are slow. */
const FOR_EVER = 1 << 29

/** More than this are left to the garbage collector: a burst is over. */
const MAX_SPARE = 4096

export class Transactions {
  private readonly spare: Transaction[] = []
  private readonly reuses: boolean

  /** `reuses`: false where somebody keeps hops and lookups. */
  constructor(reuses: boolean) {
    this.reuses = reuses
  }

  /** A transaction whose query was first seen there, held by the open table and by the trace. */
  take(vantage: number, file: number, frame: number): Transaction {
    const t = this.spare.pop() ?? new Transaction()
    t.renew(vantage, file, frame)
    t.holders = 2
    return t
  }

  /** A stage lets go of it. */
  release(t: Transaction): void {
    if (--t.holders === 0 && this.reuses && this.spare.length < MAX_SPARE) this.spare.push(t)
  }
}

/** The transaction itself, which will not be used again: somebody keeps it beyond the call. */
export function kept(t: Transaction): Transaction {
  t.holders = FOR_EVER
  return t
}
