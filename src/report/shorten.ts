/** Long names made to fit: the middle goes, the parts by which people tell names apart stay. */

/**
 * Which end matters more. Of a pod's name it is the head (namespace and workload), though its last characters tell the replicas
 * apart; of a domain name the tail, cut between labels, though its first label tells the services apart. A sentence just ends early.
 */
export type Keep = 'head' | 'tail' | 'start'

const HEAD_SHARE: Record<Keep, number> = { head: 0.7, tail: 0.4, start: 1 }

/** The text in at most `width` characters, with "…" where the middle was. */
export function shorten(text: string, width: number, keep: Keep): string {
  if (text.length <= width) return text
  if (width <= 1) return '…'.slice(0, Math.max(0, width))
  let head = Math.ceil((width - 1) * HEAD_SHARE[keep])
  let tail = width - 1 - head
  if (keep === 'tail') {
    // Half a label says nothing: the tail begins with a label where one is near, and the head takes what is left.
    const label = text.slice(-tail).indexOf('.') + 1
    if (label > 0 && label <= tail / 2) {
      head += label
      tail -= label
    }
  }
  return `${text.slice(0, head)}…${tail > 0 ? text.slice(-tail) : ''}`
}
