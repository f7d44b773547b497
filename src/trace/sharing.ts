/**
 * Finds the clients that waited for a query which their forwarder had sent for somebody else: dnsmasq, unbound and others ask once for
 * all that want the same at one time (H9). CoreDNS asks for each, so what sets AA on its cached answers is left alone.
 */
import { NONE, type Time } from '../model.ts'
import type { Forwarding } from './forwarding.ts'
import type { Serving } from './serving.ts'
import { ANSWERED, CAPTURE_ENDED, OPEN, type Transaction, UNANSWERED } from './transaction.ts'
import { kept } from './transactions.ts'

/** Two interfaces, one clock. */
const SLACK: Time = 1e6
/** All who wait are answered within this after the one answer came. */
const PROMPT: Time = 50e6

export class Sharing {
  private readonly forwarding: Forwarding
  private readonly serving: Serving

  constructor(forwarding: Forwarding, serving: Serving) {
    this.forwarding = forwarding
    this.serving = serving
  }

  /** Takes a batch in order of start, when everything else is linked. */
  link(batch: readonly Transaction[]): void {
    const asked = new Map<number, Transaction[]>()
    for (const t of batch) {
      if (!t.causes || this.serving.isCoredns(t.causes[0].server)) continue
      const question = questionOf(t)
      const same = asked.get(question)
      if (same) same.push(t)
      else asked.set(question, [t])
    }
    if (asked.size === 0) return
    for (const t of batch) {
      if (t.effects || t.qname === NONE) continue
      const query = asked.get(questionOf(t))?.find(query => this.waitedFor(t, query))
      if (!query) continue
      query.causes?.push(kept(t))
      // Its first asker may be told before the others are.
      t.effects = [kept(query)]
    }
  }

  private waitedFor(t: Transaction, query: Transaction): boolean {
    if (query === t || query.causes?.[0] === t || !this.forwarding.asksFrom(t.server, query.client)) return false
    if (this.serving.isCoredns(t.server)) return false
    if (t.start < query.start - SLACK) return false
    if (query.state === ANSWERED)
      return t.state === ANSWERED && t.start <= query.end && t.end >= query.end && t.end - query.end <= PROMPT
    // Both wait for what never comes.
    return isSilent(query) && isSilent(t) && t.start - query.lastQuery <= PROMPT
  }
}

const isSilent = ({ state }: Transaction): boolean => state === OPEN || state === UNANSWERED || state === CAPTURE_ENDED

const questionOf = (t: Transaction): number => (t.qname + 1) * 0x1_0000 + (t.qtype & 0xffff)
