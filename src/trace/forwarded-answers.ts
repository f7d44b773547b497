/**
 * Hops of which the capture holds the responses alone: a forwarder hands an answer on as soon as it has it, so the response that it got
 * stands just before the one that it gave. What forwarding.ts does with intervals, which nobody knows here.
 */
import type { Time } from '../model.ts'
import { attach, type Forwarding, questionOf } from './forwarding.ts'
import type { Transaction } from './transaction.ts'

/** A forwarder hands an answer on within this. */
const PROMPT: Time = 10e6
/** Answers to one question that are looked at: the latest. */
const MOST = 16

export class ForwardedAnswers {
  private readonly forwarding: Forwarding

  constructor(forwarding: Forwarding) {
    this.forwarding = forwarding
  }

  /** Takes a batch in order of start, before any of it is linked otherwise. */
  link(batch: readonly Transaction[]): void {
    const latest = new Map<number, Transaction[]>()
    const pairs: { got: Transaction; given: Transaction }[] = []
    for (const given of batch) {
      if (!given.withoutQuery) continue
      const question = questionOf(given.qname, given.qtype)
      const before = (latest.get(question) ?? []).filter(got => given.end - got.end <= PROMPT)
      for (const got of before) {
        if (got.server === given.server || got.client === given.client) continue
        pairs.push({ got, given })
        this.forwarding.noteAnswer(got, given.server)
      }
      before.push(given)
      latest.set(question, before.slice(-MOST))
    }
    for (const { got, given } of pairs) {
      if (got.causes || given.effects || !this.forwarding.asksFrom(given.server, got.client)) continue
      attach(got, given)
    }
  }
}
