/** What a response, or an error, and its query have in common. */
import { type Messages, NAME_CUT, NONE } from '../model.ts'
import type { Transaction } from './transaction.ts'

/**
 * The DNS id; of a message without one (Hubble) a negative number that is the same for the same question from the same port, and
 * tells A and AAAA apart as their ids would.
 */
export const idOf = (m: Messages, i: number, clientPort: number): number =>
  m.dnsId[i] === NONE ? -2 - (clientPort * 0x1_0000 + (m.qtype[i] & 0xffff)) : m.dnsId[i]

/** True if a message of that server, row i, can be about the transaction, whose client, port and id it has. */
export function fits(t: Transaction, m: Messages, i: number, server: number): boolean {
  if (t.transport !== m.transport[i]) return false
  if (!t.isServer(server)) return false
  // FORMERR and NOTIMP may come without the question; a cut name can only be compared as far as it goes.
  if (m.qname[i] === NONE || t.nameCut || m.state[i] & NAME_CUT) return true
  return t.qname === m.qname[i] && t.qtype === m.qtype[i]
}
