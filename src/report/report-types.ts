/** The report, and what `dnstrail watch` tells of a span, as people and programs read them. */
import type {
  Capture,
  ClockRecord,
  EncryptedOver,
  FilterRecord,
  Finding,
  FrameRef,
  Issue,
  Outcome,
  Quantiles,
  Role,
} from '../model.ts'
import type { EndpointRecord, LookupRecord, LossRow } from './record-types.ts'
import type { ChangeRow } from './what-if/types.ts'

/** Who somebody is, and why we think so. `address` may stand several times: once per node. */
export interface EndpointRow extends EndpointRecord {
  /** The name of the pod or service or host, where known; of a server else what everybody calls it, such as "Azure DNS". */
  name: string | null
  /** Sentences. */
  evidence: string[]
  /** The capture taken where the address is at home, which sees what it sends before any router does; null where none is known to be. */
  seenIn: string | null
  /** Transactions as client and as server. */
  asked: number
  served: number
}

interface CacheShare {
  answers: number
  hits: number
}

/** Latency per hop: from a role to a role (`server` null), or to one server address of that role. */
export interface EdgeRow {
  from: Role
  to: Role
  /** Null in the row that sums the edge. */
  server: string | null
  /** What everybody calls that server, such as "Azure DNS"; null where nothing tells. */
  name: string | null
  /** How many of the role `from` asked; an IPv4 and an IPv6 address of one host count once. */
  clients: number
  /** Who they are, most queries first, at most five: "namespace/pod" or "name (address)" where known, else the address. */
  askers: string[]
  count: number
  /** null where one direction alone was captured. */
  unanswered: number | null
  wait: Quantiles
  own: Quantiles
  /** The network's part of the wait; without samples unless both ends were captured. */
  network: Quantiles
  rcodes: Record<string, number>
  /** Served from cache; null where the far side was not captured. */
  cacheHits: number | null
  /** The same apart for answers that name something and answers that do not, with how many there were; null as above. */
  cache: { positive: CacheShare; negative: CacheShare } | null
  retransmissions: number
  tcp: number
}

/** Connections over which DNS is asked that nobody can read. */
export interface EncryptedRow {
  client: string
  server: string
  over: EncryptedOver
  /** Whose resolver it is; null where it is not known. */
  name: string | null
  connections: number
}

/** One server, whoever asked it. */
export interface ServerRow extends Omit<EdgeRow, 'from' | 'to' | 'server' | 'clients' | 'askers'> {
  server: string
  role: Role
  /** Its part of what servers of its role were asked, 0 to 1. */
  share: number
}

export interface WasteSum {
  lookups: number
  queries: number
  needed: number
  wasted: number
  search: number
  fanOut: number
  retransmission: number
  truncation: number
  family: number
  /** null where no response of theirs was captured. */
  nxdomain: number | null
  /** The part of the wasted bytes and of the time waited that went to answers NXDOMAIN. */
  nxdomainBytes: number | null
  nxdomainWaitMs: number | null
  /** The part of the time waited that went to answers that did not come, until they were asked for again or given up. */
  silentWaitMs: number | null
  bytes: number | null
  /** Bytes of all queries and responses, wasted or not. */
  totalBytes: number | null
  /** null where no wait is known. */
  waitMs: number | null
  reachedCoredns: number | null
  leftCluster: number | null
}

export interface WasteRow extends WasteSum {
  /** The pod's address, the name, the suffix, ... */
  key: string
  /** A word beside the key: the pod's name, role or namespace; for a suffix "answered 0 of 93"; null where there is nothing to say. */
  note: string | null
}

export interface Report {
  version: string
  captures: (Omit<Capture, 'first' | 'last' | 'activity'> & {
    first: string | null
    last: string | null
    seconds: number
    /** Times without a frame in a capture that is busy otherwise: from the last frame before to the first one after. */
    pauses: { from: string; until: string }[]
    vantages: string[]
    /** Null where there is but one capture. */
    clock: ClockRecord | null
  })[]
  quality: {
    /** "good", "fair", "poor": the worst of the remarks. */
    grade: 'good' | 'fair' | 'poor'
    /** Sentences that a person understands, with what each means for the numbers below. */
    remarks: string[]
  }
  /** What leaves lookups out, and all that comes of them; null where nothing does. */
  filters: FilterRecord | null
  totals: {
    seconds: number
    frames: number
    messages: number
    /** Messages of which another sighting was merged away. */
    sightings: number
    transactions: number
    lookups: number
    outcomes: Record<Outcome, number>
    /** Lookups that did not get what was asked: everything but answered, nodata, capture-ended and not-captured. */
    failed: number
    wait: Quantiles
    /** Transactions that are no lookup of anybody: health checks, loop probes. */
    infrastructure: number
  }
  endpoints: EndpointRow[]
  edges: EdgeRow[]
  /** By role along the path, then most queries first. */
  servers: ServerRow[]
  /** Who asks over encrypted connections, most first. */
  encrypted: EncryptedRow[]
  waste: WasteSum & {
    byClient: WasteRow[]
    byName: WasteRow[]
    bySuffix: WasteRow[]
    byResolver: WasteRow[]
    byNamespace: WasteRow[]
    byWorkload: WasteRow[]
    /** Queries that a row of such a list may lack at most; only of lists that had more keys than are kept. */
    mayLack?: { byClient?: number; byName?: number; bySuffix?: number; byResolver?: number }
  }
  /** Single changes of the pods' configuration that would save queries: those that break nothing first, then by what they save. */
  changes: ChangeRow[]
  /** Where queries and responses were lost, most first. */
  losses: LossRow[]
  /** TCP connections with DNS servers that could not be opened, by who asked whom, most first. */
  unopened: UnopenedRow[]
  /** The slowest lookups, slowest first. */
  slowest: LookupRecord[]
  /** Service address -> addresses that served it (DNAT pairs seen). */
  translations: { asked: string; served: string; count: number }[]
  /** Packets on port 53 of which only flows without names tell; null where there are none. */
  flows: FlowSums | null
  searchLists: {
    client: string
    searchList: readonly string[]
    ndots: { min: number | null; max: number | null }
    walks: number
  }[]
  findings: Finding[]
  issues: Issue[]
}

export interface UnopenedRow {
  client: string
  server: string
  /** A reset answered the SYN. */
  refused: number
  /** Nothing did, and it was sent again. */
  silent: number
  /** The first reset, or the first SYN that was sent again. */
  frame: FrameRef
}

/** What a span of a capture came to: `dnstrail watch --every`, one a line of ndjson, and the last minute of its screen. */
export interface Glance {
  start: string
  end: string
  seconds: number
  /** Lookups and queries that began in this span. */
  lookups: number
  outcomes: Record<Outcome, number>
  failed: number
  wait: Quantiles
  edges: EdgeRow[]
  waste: Report['waste']
  /** Who the clients in `waste` are. */
  clients: EndpointRecord[]
  /** What the capturing machine or Hubble said meanwhile that it lost; null where the format does not tell. */
  dropped: number | null
}

/** What flows without names tell (Hubble without L7 visibility): conversations, not queries. */
export interface FlowSums {
  /** Events that the datapath reported; one packet may cause several, most cause none. */
  events: number
  /** Client, server and transport: those with drops first, then the busiest. */
  pairs: FlowRow[]
}

export interface FlowRow {
  client: string
  clientName: string | null
  server: string
  serverName: string | null
  transport: 'udp' | 'tcp'
  events: number
  /** Client ports that were seen asking. */
  conversations: number
  /** Those to which nothing came back; null where the log shows no replies at all. */
  unanswered: number | null
  /** Those over TCP that the server refused or broke off (RST). */
  reset: number | null
  /** Events by TCP's flags, which tell how far connections came; null for UDP. */
  tcpFlags: { syn: number; synAck: number; fin: number; rst: number } | null
  drops: { reason: string; packets: number; nodes: string[] }[]
}
