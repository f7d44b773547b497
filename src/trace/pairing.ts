/** What a response, or an error, and its query have in common. */
import { type AddressId, type Messages, NAME_CUT, type NameId, NONE } from '../model.ts'
import type { OpenTable } from './open-table.ts'
import { ANSWERED, OPEN, type Transaction } from './transaction.ts'

/**
 * The DNS id; of a message without one (Hubble) a negative number that is the same for the same question from the same port, and
 * tells A and AAAA apart as their ids would.
 */
export const idOf = (m: Messages, i: number, clientPort: number): number =>
  m.dnsId[i] === NONE ? -2 - (clientPort * 0x1_0000 + (m.qtype[i] & 0xffff)) : m.dnsId[i]

/** True if a message of that server, row i, can be about the transaction, whose client, port and id it has. */
function fits(t: Transaction, m: Messages, i: number, server: number): boolean {
  if (t.transport !== m.transport[i]) return false
  if (!t.isServer(server)) return false
  // FORMERR and NOTIMP may come without the question; a cut name can only be compared as far as it goes.
  if (m.qname[i] === NONE || t.nameCut || m.state[i] & NAME_CUT) return true
  return t.qname === m.qname[i] && t.qtype === m.qtype[i]
}

/** True if query i asks what the transaction asks. */
export const asksTheSame = (t: Transaction, m: Messages, i: number): boolean =>
  t.qname === m.qname[i] && t.qtype === m.qtype[i]

/** Nothing of the name was captured, or not all. */
const isCut = (qname: NameId, nameCut: boolean): boolean => qname === NONE || nameCut

/** The same, as far as the one of the two goes that the capture cut. */
export const mayAskTheSame = (t: Transaction, m: Messages, i: number): boolean =>
  (t.qname === m.qname[i] || isCut(t.qname, t.nameCut) || isCut(m.qname[i], (m.state[i] & NAME_CUT) !== 0)) &&
  (t.qtype === m.qtype[i] || t.qtype === NONE || m.qtype[i] === NONE)

/** The transaction that a response (or an error about a query) belongs to: open ones first, then the latest, which the table has first. */
export function belongsTo(
  table: OpenTable,
  client: AddressId,
  port: number,
  m: Messages,
  i: number,
  server: AddressId,
  vantage: number,
): Transaction | null {
  let best: Transaction | null = null
  let bestRank = -1
  const { found } = table
  const n = table.find(client, port, idOf(m, i, port))
  for (let k = 0; k < n; k++) {
    const t = found[k]
    if (!fits(t, m, i, server)) continue
    // Without ids, answers belong to the questions in turn.
    if (m.dnsId[i] === NONE && best?.state === OPEN && t.state === OPEN) continue
    // A copy of a response that is already there goes where it has not been seen, before it answers another query.
    const copy = t.state === ANSWERED && t.rcode === m.rcode[i] && !t.responseSeenAt(vantage)
    const rank = (server === t.asked || t.asked === t.server ? 4 : 0) + (t.state === OPEN ? 2 : copy ? 1 : 0)
    if (rank > bestRank) {
      best = t
      bestRank = rank
    }
  }
  return best
}
