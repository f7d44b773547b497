/**
 * Answers that did not fit into UDP (TC, RFC 2181 section 9), and whether they were asked for again over TCP, as RFC 7766 wants it. A
 * capture filter such as "udp port 53" leaves that out: where not one packet of DNS over TCP was captured, nobody knows what came of them.
 */
import { TC } from '../codes.ts'
import { TCP } from '../model.ts'
import type { Lookup } from './lookup.ts'
import { ANSWERED, type Transaction } from './transaction.ts'

/** Over UDP, and of what followed over TCP nothing is among `legs`. */
export const isCutShort = (t: Transaction, legs: readonly Transaction[]): boolean =>
  (t.responseFlags & TC) !== 0 && t.state === ANSWERED && t.transport !== TCP && !isRepeatedOverTcp(legs, t)

/** Another one of `legs` asks the same over TCP. */
export function isRepeatedOverTcp(legs: readonly Transaction[], t: Transaction): boolean {
  for (const x of legs) if (x !== t && x.qtype === t.qtype && x.transport === TCP) return true
  return false
}

/** The answer that decided it was cut short. */
export const endsCutShort = ({ candidates, deciding }: Lookup): boolean =>
  isAnyCutShort(candidates[deciding].transactions)

/** One of a candidate's legs is cut short. */
export function isAnyCutShort(legs: readonly Transaction[]): boolean {
  for (const t of legs) if (isCutShort(t, legs)) return true
  return false
}
