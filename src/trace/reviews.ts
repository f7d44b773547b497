/** Transactions that are looked at again after some time, in that order. */
import type { Time } from '../model.ts'
import type { Transaction } from './transaction.ts'

export class Reviews {
  private transactions: Transaction[] = []
  private due: Time[] = []
  private head = 0
  private readonly after: Time

  constructor(after: Time) {
    this.after = after
  }

  add(t: Transaction, now: Time): void {
    this.transactions.push(t)
    this.due.push(now + this.after)
  }

  /** The next one whose time has come; null without. */
  take(now: Time): Transaction | null {
    if (this.head === this.due.length || this.due[this.head] > now) return null
    const t = this.transactions[this.head++]
    if (this.head > 4096 && this.head * 2 > this.due.length) {
      this.transactions = this.transactions.slice(this.head)
      this.due = this.due.slice(this.head)
      this.head = 0
    }
    return t
  }
}
