/**
 * Responses whose query the capture lost: the latest of them. They tell what came of a leg of which nothing else is known. One place for each
 * hash, as there are few, and one that is asked for is as young as the lookup that is closed.
 */
import { A, AAAA, NOERROR } from '../codes.ts'
import { type AddressId, type Messages, type NameId, NONE, type Outcome, type Time } from '../model.ts'
import type { Candidate, Lookup } from './lookup.ts'
import { outcomeOfRcode } from './rcode-outcome.ts'
import { chainOf } from './slots.ts'
import type { Transaction } from './transaction.ts'

/** A power of two. */
const PLACES = 4096
/** No client waits longer for an answer without asking again. */
const LONGEST_WAIT: Time = 5e9

/** What came of a leg whose query was not captured. */
export interface LoneResponse {
  client: AddressId
  qname: NameId
  qtype: number
  time: Time
  outcome: Outcome
}

export class LoneResponses {
  private readonly places: (LoneResponse | undefined)[] = []
  private isEmpty = true

  /** Takes row i. */
  addRow(m: Messages, i: number, time: Time): void {
    const outcome = outcomeOf(m.rcode[i], m.addresses[i])
    this.put({ client: m.to[i], qname: m.qname[i], qtype: m.qtype[i], time, outcome })
  }

  /** Takes a transaction that was made of a response. */
  add({ client, qname, qtype, end: time, rcode, addresses }: Transaction): void {
    this.put({ client, qname, qtype, time, outcome: outcomeOf(rcode, addresses) })
  }

  private put(lone: LoneResponse): void {
    if (lone.qname === NONE || lone.qtype === NONE) return
    this.places[placeOf(lone.client, lone.qname, lone.qtype)] = lone
    this.isEmpty = false
  }

  /** Who asks for one family may have asked for the other, too, unseen. */
  complete({ client, candidates }: Lookup): void {
    if (this.isEmpty) return
    for (const candidate of candidates) {
      const { transactions } = candidate
      const { qtype } = transactions[0]
      if ((qtype !== A && qtype !== AAAA) || transactions.some(t => t.qtype !== qtype)) continue
      candidate.lone = this.find(client, candidate, qtype === A ? AAAA : A)
    }
  }

  /** The response to another leg of a candidate, of that type; null without. */
  private find(client: AddressId, { qname, transactions }: Candidate, qtype: number): LoneResponse | null {
    const lone = this.places[placeOf(client, qname, qtype)]
    if (lone === undefined || lone.client !== client || lone.qname !== qname || lone.qtype !== qtype) return null
    const [{ start }] = transactions
    return lone.time > start && lone.time < start + LONGEST_WAIT ? lone : null
  }
}

function outcomeOf(rcode: number, addresses: number): Outcome {
  if (rcode !== NOERROR) return outcomeOfRcode(rcode)
  return addresses > 0 ? 'answered' : 'nodata'
}

const placeOf = (client: AddressId, qname: NameId, qtype: number): number =>
  chainOf(chainOf(client, qname), qtype) & (PLACES - 1)
