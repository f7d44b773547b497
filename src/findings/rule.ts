/**
 * The interface of a finding. A rule looks at lookups and hops as they are closed, in order of start, and keeps sums; it concludes when
 * all is read, because only then are the roles of addresses certain. What it keeps is bounded, whatever the capture's length: sums by key
 * in a Tally or Rows, which forget the rare keys of very many. A sum that was begun anew shows what a capture would show that begins later,
 * so what holds of any capture holds of it. Only who says "never", "none" or "alone" must ask whether something was forgotten.
 */
import type { AddressId, Finding, Severity } from '../model.ts'
import type { Hop } from '../trace/hop.ts'
import type { Lookup } from '../trace/lookup.ts'
import type { Inward } from '../trace/sums.ts'
import type { LookupWasteSums } from '../trace/waste.ts'
import type { FrameSample } from './frame-sample.ts'
import type { World } from './world.ts'

export interface Rule {
  /** Stable: scripts name it. */
  code: string
  /** The worst that it gives. */
  severity: Severity
  /** A headline for lists. */
  title: string
  /** The long text: paragraphs. */
  means: string
  why: string
  todo: string
  /** What in the packets shows it, and what keeps it silent. */
  evidence: string
  /** Upstream documentation and source. */
  links: readonly string[]
  /** Samples and scenarios of the repository and recordings of a real cluster in which it can be seen. */
  shownBy: readonly string[]
  begin(world: World): Observer
}

export interface Observer {
  lookup?(lookup: Lookup, waste: LookupWasteSums, inward: Inward): void
  hop?(hop: Hop): void
  /** `earlier`: what the rules before this one found. */
  conclude(earlier: readonly Concluded[]): Draft[]
}

/** More clients than this are a list that nobody reads: of a finding so many are printed, and a rule need not keep more. */
export const MOST_CLIENTS = 20

/** A finding as a rule words it. */
export interface Draft {
  /** Where it is less than the rule's. */
  severity?: Severity
  what: string
  why: string
  /** One or two sentences; what can be pasted stands in the snippet. */
  advice: string
  snippet?: string
  count: number
  /** `count` of how many: 0 to 1; null where there is no whole. */
  share: number | null
  clients: Iterable<AddressId>
  servers: Iterable<AddressId>
  frames: FrameSample
  confidence: Finding['confidence']
  /** The names concerned, for the rules that come after. */
  names?: Iterable<string>
}

export interface Concluded {
  code: string
  names: ReadonlySet<string>
  clients: ReadonlySet<AddressId>
  servers: ReadonlySet<AddressId>
}

/** So many times what a finding needs to be told make it certain. */
const SURE = 3

/**
 * Of a finding that rests on counting: at `least` it is told, as likely ("medium"), and at three times that it is certain ("high"). What rests
 * on something else says so itself: "high" where the packets prove it, "low" where they could mean another thing as well.
 */
export const sureFrom = (count: number, least: number): Finding['confidence'] =>
  count >= SURE * least ? 'high' : 'medium'

/** The servers that the earlier findings of this code name. */
export const serversOf = (earlier: readonly Concluded[], code: string): ReadonlySet<AddressId> =>
  new Set(earlier.flatMap(finding => (finding.code === code ? [...finding.servers] : [])))

/** Whether an earlier finding of this code tells of all of these clients. */
export const tellsOf = (earlier: readonly Concluded[], code: string, clients: Iterable<AddressId>): boolean => {
  const told = new Set(earlier.flatMap(finding => (finding.code === code ? [...finding.clients] : [])))
  return told.size > 0 && [...clients].every(client => told.has(client))
}
