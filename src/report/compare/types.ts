/** What differs between two captures, as people and programs read it. */
import type { FilterRecord, Finding } from '../../model.ts'
import type { Report } from '../report-types.ts'

/** One of the two sides. */
export interface ComparedSide {
  captures: string[]
  first: string | null
  seconds: number
  lookups: number
  lookupsPerSecond: number | null
  clients: number
  /** Different names, as far as they are kept. */
  names: number
  quality: Report['quality']['grade']
  filters: FilterRecord | null
}

/** "noise": chance alone may explain it. "too few": not enough was seen to tell. */
type Verdict = 'higher' | 'lower' | 'noise' | 'too few'

export interface MeasureRow {
  /** Stable: "failed", "queries", "wait-p99", "wait-p50:pod coredns". */
  code: string
  /** What is measured; of the group below. */
  what: string
  /** "lookups", or the hops from a role to a role: "pod -> CoreDNS". */
  group: string
  unit: 'share' | 'ms' | 'count' | 'bytes'
  /** Null where there is no sample. */
  before: number | null
  after: number | null
  /** Lookups, queries or hops that it is made of. */
  samplesBefore: number
  samplesAfter: number
  /** The chance that two captures of the same thing differ so much; null where too little was seen. */
  chance: number | null
  verdict: Verdict
}

export interface NameRow {
  name: string
  before: { lookups: number; answered: number }
  after: { lookups: number; answered: number }
  chance: number
  /** Whether the share that is answered changed. */
  verdict: Verdict
}

export interface FindingChange {
  code: string
  /** Came: only after, or worse than before. Went: only before. */
  change: 'came' | 'went' | 'stayed'
  before: Finding | null
  after: Finding | null
}

/** `dnstrail compare -o json`. */
export interface Comparison {
  version: string
  before: ComparedSide
  after: ComparedSide
  measures: MeasureRow[]
  /** Names of which more or fewer lookups are answered, by more than noise. */
  names: NameRow[]
  findings: FindingChange[]
  /** What makes the two hard to compare; sentences. */
  remarks: string[]
}
