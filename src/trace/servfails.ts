/**
 * Failures that a forwarder keeps: CoreDNS answers SERVFAIL from its cache for 5 s (plugin cache, servfail). A failure without a query
 * further on is one of these only where the same question failed upstream shortly before; else the forwarder could not ask at all.
 */
import type { Time } from '../model.ts'
import type { Transaction } from './transaction.ts'

const KEPT: Time = 5e9
const MAX_ENTRIES = 10_000

export class Servfails {
  private readonly failed = new Map<string, Time>()

  /** Notes a failure that came from further on. */
  note(t: Transaction): void {
    if (this.failed.size >= MAX_ENTRIES) this.failed.clear()
    this.failed.set(keyOf(t), t.end)
  }

  isCached(t: Transaction): boolean {
    const at = this.failed.get(keyOf(t))
    return at !== undefined && t.end - at < KEPT
  }
}

const keyOf = (t: Transaction): string => `${t.server} ${t.qname} ${t.qtype}`
