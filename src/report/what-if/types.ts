/** What would be under another configuration, as people and programs read it. */
import type { FilterRecord } from '../../model.ts'

/** One change, computed from the lookups of the capture: what it would save, and what it would break. */
export interface ChangeRow {
  /** "ndots 2", "without the search domain corp.example", "a dot behind google.com". */
  what: string
  /** Options of `dnstrail what-if` that tell more. */
  options: string
  /** Less than now. */
  queries: number
  bytes: number | null
  waitMs: number
  /** Names that are answered now and would not be. */
  stops: string[]
  /** Names that only a search domain answers now, and that would be asked on the Internet first, where somebody else's may answer. */
  outside: string[]
}

export interface LoadRow {
  lookups: number
  /** Lookups that did not get what was asked. */
  failed: number
  queries: number
  bytes: number | null
  waitMs: number
  /** Queries at CoreDNS, and at an upstream; null where that part was not captured. */
  coredns: number | null
  upstream: number | null
}

export interface WorkloadEffect {
  /** "namespace/workload", "namespace/pod" or the address, whatever is known. */
  workload: string
  /** Addresses. */
  clients: number
  resolvers: string[]
  before: LoadRow
  after: LoadRow
}

/** A name whose lookups would come to something else. */
export interface NameEffect {
  name: string
  workloads: string[]
  resolver: string | null
  lookups: number
  /** Why, in a sentence. */
  because: string
}

/** `dnstrail what-if -o json`. */
export interface WhatIf {
  version: string
  captures: string[]
  change: {
    ndots: number | null
    trailingDot: string[]
    dropSuffix: string[]
    autopath: boolean
    nodeLocalCache: boolean
  }
  /** The change in words. */
  what: string
  filters: FilterRecord | null
  before: LoadRow
  after: LoadRow
  workloads: WorkloadEffect[]
  /** Names that are answered now and would not be. */
  stops: NameEffect[]
  /** Names that are not answered now and would be. */
  starts: NameEffect[]
  /** Names that another candidate would answer than now. */
  otherAnswers: NameEffect[]
  /** What this capture cannot tell, and what was assumed instead; sentences. */
  unknown: string[]
  /** Sentences: what to do beside pasting. */
  advice: string[]
  /** A patch of the workloads' pod template, and lines of a Corefile; null where the change needs none. */
  patch: string | null
  corefile: string | null
}
