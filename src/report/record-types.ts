/** One row that people and programs read: a lookup, a hop, a message. Plain strings and numbers, null for unknown. */
import type { FrameRef, Outcome, Role, ServedFrom } from '../model.ts'

/** One end of a hop, or the client of a lookup. */
export interface EndpointRecord {
  address: string
  role: Role
  node: string | null
  namespace: string | null
  pod: string | null
  workload: string | null
}

export interface CandidateRecord {
  name: string
  /** The search domain that made it; null for the as-is name. */
  suffix: string | null
  outcome: Outcome
  waitMs: number | null
  /** Ids of its hops. */
  hops: string[]
}

interface LookupWaste {
  search: number
  fanOut: number
  retransmission: number
  truncation: number
  family: number
  /** null where no response of theirs was captured. */
  nxdomain: number | null
  /** null where sizes are unknown. */
  bytes: number | null
  /** null where the lookup's wait is not known. */
  waitMs: number | null
  /** null where that part of the path was not captured. */
  reachedCoredns: number | null
  leftCluster: number | null
}

/** `dnstrail lookups -o ndjson`, one a line. */
export interface LookupRecord {
  id: string
  client: EndpointRecord
  name: string
  nameCertain: boolean
  alternatives: string[]
  qtypes: string[]
  /** RFC 3339, UTC, nanoseconds. */
  start: string
  end: string | null
  waitMs: number | null
  waitInferred: boolean
  /** "not-captured" also where the answer that decides it was lost by the capture. */
  outcome: Outcome
  /**
   * Something of it is missing, or may be: its client asked another server too, which was not captured (one of several CoreDNS pods). Its
   * outcome is then "answered" or "not-captured", and its wait is not known.
   */
  partial: boolean
  answers: string[]
  resolver: string | null
  searchList: readonly string[]
  ndots: { min: number | null; max: number | null }
  candidates: CandidateRecord[]
  queries: number
  waste: LookupWaste
  frames: FrameRef[]
}

/** A query that got no answer, or a response that did not arrive, and where it disappeared as far as the captures tell. */
export interface LossRecord {
  /** Which of the hop's queries, counted from 1. */
  try: number
  /** Null where it got past all captures: which of the two was lost, or whether the server kept silent, nobody can tell. */
  what: 'query' | 'response' | null
  /** The last capture on its way that saw it. */
  seenIn: string
  /** The next one, which did not; null where none was taken further on, or where it was lost inside a server. */
  notSeenIn: string | null
  /** The service address behind whose translation (DNAT) the same capture did not see it. */
  behind: string | null
  /** The server that got it and did nothing with it. */
  inside: string | null
  /** The server that it did not reach although it came to the server's node: the capture holds fewer copies of it than usual. */
  inFrontOf: string | null
}

/** Losses of one kind at one place. */
export interface LossRow extends Omit<LossRecord, 'try'> {
  count: number
}

/** `dnstrail hops -o ndjson`, one a line: a transaction after its sightings are merged. */
export interface HopRecord {
  id: string
  lookup: string | null
  causedBy: string[]
  from: EndpointRecord & { port: number; seen: { address: string; port: number } | null }
  to: EndpointRecord & { port: number; asked: string }
  transport: 'udp' | 'tcp'
  dnsId: number | null
  qname: string | null
  qtype: string | null
  outcome: Outcome
  rcode: number | null
  start: string
  waitMs: number | null
  serverMs: number | null
  ownMs: number | null
  /**
   * Where the wait went, all four or none: null unless the query and the response were seen at both ends. The network in both directions;
   * the server while it waited for nobody; the hops that it caused and waited for; what nothing explains (a query before was lost).
   */
  networkMs: number | null
  serverOwnMs: number | null
  hopsMs: number | null
  unexplainedMs: number | null
  retransmissions: number
  /** When the query was sent again, in milliseconds after `start`. */
  resentMs: number[]
  servedFrom: ServedFrom | null
  /** What came in place of a response: "icmp" (unreachable) or "reset" (TCP). */
  refusedBy: 'icmp' | 'reset' | null
  /** The response came when the client had closed its port (ICMP): it had given up. */
  cameTooLate: boolean
  losses: LossRecord[]
  sightings: number
  frames: FrameRef[]
}

/** `dnstrail messages -o ndjson`, one a line: a DNS message as the wire has it. */
export interface MessageRecord {
  file: string
  frame: number
  time: string
  transport: 'udp' | 'tcp'
  from: { address: string; port: number }
  to: { address: string; port: number }
  dnsId: number | null
  flags: number | null
  response: boolean
  opcode: number | null
  rcode: number | null
  qname: string | null
  qnameWire: string | null
  qtype: string | null
  qclass: string | null
  /** As the header has them; null where the capture cut it before. */
  counts: [number | null, number | null, number | null, number | null] | null
  size: number | null
  cut: boolean
  malformed: boolean
}
