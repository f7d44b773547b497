/** Where messages were lost, in words: in the report for all of them, in the picture of one lookup for each. */
import type { HopRecord, LossRecord } from './record-types.ts'
import { ROLE_WORDS } from './words.ts'

/** "between node-a.pcap and node-b.pcap": behind "a query was lost". `server`: what to call one that got it. */
export function placeOfLoss(
  loss: Omit<LossRecord, 'try'>,
  server: (address: string) => string = address => address,
): string {
  if (loss.inside !== null) return `inside ${server(loss.inside)}, which got it (${loss.seenIn})`
  if (loss.inFrontOf !== null) return `in front of ${server(loss.inFrontOf)}, on its node (${loss.seenIn})`
  if (loss.behind !== null) return `before the translation of ${loss.behind} (${loss.seenIn})`
  if (loss.notSeenIn !== null) return `between ${loss.seenIn} and ${loss.notSeenIn}`
  return `behind ${loss.seenIn}, where nothing was captured`
}

/** One sentence for each loss, each refusal and each answer that nobody waited for. */
export function lossSentences(hops: readonly HopRecord[]): string[] {
  return hops.flatMap(({ id, losses, refusedBy, cameTooLate, retransmissions, to }) => {
    const name = (address: string) => (to.role === 'unknown' ? address : `${ROLE_WORDS[to.role]} ${address}`)
    const sentences = losses.map(loss => {
      const which = retransmissions > 0 ? ` ${loss.try} of ${retransmissions + 1}` : ''
      if (loss.what === null)
        return `${id}'s query${which} got no answer; what became of it behind ${loss.seenIn} was not captured`
      if (loss.inside !== null) return `${id}'s query${which} reached ${name(loss.inside)}, which did not answer it`
      return `${id}'s ${loss.what}${which} was lost ${placeOfLoss(loss, name)}`
    })
    if (refusedBy === 'icmp') sentences.push(`${id} was answered by ICMP: unreachable`)
    if (cameTooLate) sentences.push(`${id} was answered too late: the client had closed its port (ICMP)`)
    if (refusedBy === 'reset') sentences.push(`${id} was answered by a TCP reset`)
    return sentences
  })
}
