/** Long names made to fit: the middle goes, the parts by which people tell names apart stay. */

/**
 * Which end matters more. Of a pod's name it is the head (namespace and workload), though its last characters tell the replicas
 * apart; of a domain name the tail, though its first label tells the services apart. A sentence just ends early.
 */
export type Keep = 'head' | 'tail' | 'start'

const HEAD_SHARE: Record<Keep, number> = { head: 0.7, tail: 0.4, start: 1 }

/** The text in at most `width` characters, with "…" where the middle was. */
export function shorten(text: string, width: number, keep: Keep): string {
  if (text.length <= width) return text
  if (width <= 1) return '…'.slice(0, Math.max(0, width))
  const head = Math.ceil((width - 1) * HEAD_SHARE[keep])
  const tail = width - 1 - head
  return `${text.slice(0, head)}…${tail > 0 ? text.slice(-tail) : ''}`
}
