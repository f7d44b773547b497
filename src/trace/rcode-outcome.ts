/** What a response without an answer means by its rcode. */
import { NXDOMAIN, REFUSED, SERVFAIL } from '../codes.ts'
import type { Outcome } from '../model.ts'

/** The outcome of any rcode but NOERROR. */
export function outcomeOfRcode(rcode: number): Outcome {
  switch (rcode) {
    case NXDOMAIN:
      return 'nxdomain'
    case SERVFAIL:
      return 'servfail'
    case REFUSED:
      return 'refused'
    default:
      return 'other'
  }
}
