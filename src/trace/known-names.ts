/**
 * What the capture shows of each fully expanded name: what came of asking for it, what that cost, and how much of it reached CoreDNS and
 * the upstream. So the answer to a candidate that a client did not ask for is taken from one that did.
 */
import { type NameId, NONE, type Outcome } from '../model.ts'
import { Tally } from './tally.ts'

/** Names that are kept; of more, those that are asked least are summed up in `others` (bounded.ts). */
const MAX_NAMES = 14_000

export class KnownName {
  /** Lookups that asked for it, by what came of it. */
  answered = 0
  nodata = 0
  nxdomain = 0
  failed = 0
  /** Queries of clients, their bytes (NaN where unknown) and nanoseconds of waiting. */
  queries = 0
  bytes = 0
  wait = 0
  /** Queries at CoreDNS and at an upstream. */
  coredns = 0
  upstream = 0
  /** Lookups by clients that asked for it as it is, and those that put a search domain behind a shorter name; where that is certain. */
  asIs = 0
  searched = 0
  /** Seconds for which a cache may keep the answer; NONE where unknown. */
  ttl: number = NONE

  get candidates(): number {
    return this.answered + this.nodata + this.nxdomain + this.failed
  }

  /** What most lookups got; null where nothing tells. */
  get outcome(): Outcome | null {
    const { answered, nodata, nxdomain } = this
    if (answered + nodata + nxdomain === 0) return null
    if (answered >= nodata && answered >= nxdomain) return 'answered'
    return nxdomain >= nodata ? 'nxdomain' : 'nodata'
  }
}

export class KnownNames {
  /** The sum of the names that were dropped. */
  readonly others = new KnownName()
  /** Each weighs as many queries as clients sent for it. */
  readonly byId = new Tally<NameId, KnownName>(
    () => new KnownName(),
    MAX_NAMES,
    known => add(this.others, known),
  )
}

/** Adds the sums of one name to those of many. */
export function add(sum: KnownName, known: KnownName): void {
  sum.answered += known.answered
  sum.nodata += known.nodata
  sum.nxdomain += known.nxdomain
  sum.failed += known.failed
  sum.queries += known.queries
  sum.bytes += known.bytes
  sum.wait += known.wait
  sum.coredns += known.coredns
  sum.upstream += known.upstream
}
