/**
 * The central types, in the order of the data's journey: bytes become messages, messages transactions, transactions lookups and
 * hops, and these a report. Units are in the names or comments. Unknown is null in records that people and programs read, and
 * NONE (-1) in the typed columns of the hot path.
 *
 * Times: `seconds` are whole seconds since 1970 (may be negative), `nanos` 0..999,999,999. Everywhere after the waist a time is
 * one double: nanoseconds since the run's origin, exact for 104 days.
 *
 * Long because: whoever looks for a type looks here, and the journey reads best in one piece.
 */

/** Unknown, absent or not applicable, in the typed columns. */
export const NONE = -1

/** The user's mistake: cli.ts prints the message as one sentence and exits with 2. */
export class UserError extends Error {}

/** Index into Tables.addresses. */
export type AddressId = number
/** Index into Tables.names. */
export type NameId = number
/** Index into Tables.vantages. */
export type VantageId = number
/** Nanoseconds since the run's origin. */
export type Time = number

// -- Files ----------------------------------------------------------------------------------------------------------------

/** A time as a capture has it. */
export interface Moment {
  seconds: number
  nanos: number
}

/** When a capture holds frames at all, by whole seconds. */
export interface Activity {
  /** Seconds with frames, but for the last one; empty ones between them, those of pauses left out. */
  seconds: number
  empty: number
  /** The first few. */
  pauses: Pause[]
}

/** From a frame until the next one, seconds later. */
export interface Pause {
  from: Moment
  until: Moment
  /** Frames, and seconds with frames, before it. */
  framesBefore: number
  secondsBefore: number
}

/** One input as it was read. Counted while reading, complete when the input has ended. */
export interface Capture {
  /** As the user gave it; "-" for standard input. */
  file: string
  /** "pcap", "pcapng", ...; null while unknown. */
  format: string | null
  /** Why nothing of it could be read, as a sentence; null where it was opened. */
  failure: string | null
  /** "gzip", ... where the file was compressed. */
  compression: string | null
  bytes: number
  /** Every frame is exactly one of the next four: frames = dnsFrames + partFrames + otherFrames + issueFrames. */
  frames: number
  /** Frames that completed at least one DNS message (or an ICMP error about one). */
  dnsFrames: number
  /** Frames that carried a piece of DNS and completed nothing: fragments, TCP segments and acknowledgements. */
  partFrames: number
  /** Frames that are not DNS. */
  otherFrames: number
  /** Frames in which no layer could be read to its end. */
  issueFrames: number
  /** DNS messages found; several may stand in one frame. */
  messages: number
  /** mDNS (5353, multicast) and LLMNR messages: not counted as DNS. */
  multicastDns: number
  /** Messages of which the capture holds fewer bytes than the wire had, and frames that it cut. */
  cutMessages: number
  cutFrames: number
  /** Times of the first and the last frame; null when there is no frame. */
  first: Moment | null
  last: Moment | null
  activity: Activity
  /** Frames that the capturing machine says it lost; null where the format does not tell. */
  dropped: number | null
  /** Frames whose time lies before the time of the frame before, by more than a second. */
  clockStepsBack: number
  /** Largest snap length that the file declares; null where none. */
  snapLength: number | null
  /** True when reading ended before the input did (Ctrl-C). */
  interrupted: boolean
  /** Address -> name, from the name resolution blocks of a pcapng. */
  names: Record<string, string>
  /** What people wrote into the file. */
  comments: string[]
  /** The capture filters that the file declares. */
  filters: string[]
  /** What the lines of a flow log were, by name; together they are all its frames. Null for captures of packets. */
  lines: Record<string, number> | null
}

/** What one capture's clock was found to be, beside another's that saw some of the same transactions. */
export interface ClockRecord {
  /** The capture whose clock counts; null for that capture itself, and where nothing could be compared. */
  reference: string | null
  /** Transactions that were seen both here and at the capture that it was compared with. */
  transactions: number
  /** How far ahead its clock is at its first message; negative where it is behind. */
  offsetMs: number | null
  /** The true offset lies this close: the network may be slower in one direction, and nothing in the packets tells. */
  uncertaintyMs: number | null
  /** How much it gains in a second, in microseconds; null where the transactions lie too close together to tell. */
  driftPpm: number | null
  driftUncertaintyPpm: number | null
  /** True where its times were brought to the reference's clock. Where the two may well be one clock they are left alone. */
  corrected: boolean
  /**
   * Where it was set in the middle of the capture, as far as what another capture shared tells: what it read before (RFC 3339), and by
   * how much it was set forward, or back where that is negative. It is taken back in all times.
   */
  steps: { time: string; ms: number }[]
  /** A sentence, where something is to be said. */
  note: string | null
}

/** Where a capture was taken: one interface of one file. */
export interface Vantage {
  /** Index into the run's captures. */
  file: number
  /** "eth0", "cali1234", ...; null where the file does not say. */
  name: string | null
  /** Interface index of SLL2, or the interface's number in a pcapng; NONE where the file has one interface. */
  index: number
  linkType: number
}

/** Something wrong with the bytes or the capture: counted, with the first frame that showed it. */
export interface Issue {
  code: string
  file: string
  count: number
  /** Frame number; null where the issue is about the file as a whole. */
  firstFrame: number | null
  /** One sentence. */
  what: string
}

// -- The waist: messages -----------------------------------------------------------------------------------------------------

export const UDP = 0
export const TCP = 1

/** Messages.kind */
export const DNS_MESSAGE = 0
/** An ICMP or ICMPv6 "unreachable" that quotes a DNS query; addresses and ports are those of the quoted datagram. */
export const UNREACHABLE = 1
/** A TCP reset on a DNS connection; from and to as the reset was sent. */
export const TCP_RESET = 2
/** A SYN to a DNS server that was sent again, because nothing answered it; from and to as it was sent. */
export const TCP_SILENT = 3

/** Messages.direction, as the Linux cooked header tells it. */
export const UNKNOWN_DIRECTION = 0
export const INCOMING = 1
export const OUTGOING = 2
/** Seen by a promiscuous interface (a bridge port), addressed to somebody else. */
export const OTHER_HOST = 3

/** Messages.state bits. */
export const CUT = 1
export const MALFORMED = 2
/** The question's name was cut by the capture: `qname` holds the whole labels that are there. */
export const NAME_CUT = 4

/** Messages.content bits: what the answer and authority sections of a response hold. */
export const HAS_A = 1
export const HAS_AAAA = 2
export const HAS_CNAME = 4
/** A record of the type that was asked, where that is neither A nor AAAA. */
export const HAS_ASKED_TYPE = 8
export const HAS_SOA = 16
/** The sections could not be read to their end (cut or malformed). */
export const CONTENT_CUT = 32

/** Messages.edns: NONE without OPT, else the UDP size in the low 16 bits and these. */
export const EDNS_DO = 1 << 16
export const EDNS_COOKIE = 1 << 17
export const EDNS_OTHER_OPTION = 1 << 18

/**
 * A block of messages in the order of their capture: one typed column per field, row i in every column. The reader reuses its block,
 * so a consumer copies what it keeps before it asks for the next one.
 */
export interface Messages {
  length: number
  kind: Uint8Array
  seconds: Float64Array
  nanos: Int32Array
  file: Uint16Array
  frame: Uint32Array
  vantage: Int32Array
  direction: Uint8Array
  transport: Uint8Array
  /** AddressId of sender and receiver, innermost IP layer. */
  from: Int32Array
  to: Int32Array
  fromPort: Uint16Array
  toPort: Uint16Array
  /** IPv4 identification; NONE for IPv6 and TCP. */
  ipId: Int32Array
  /** TTL or hop limit. */
  ttl: Uint8Array
  /** Who sent the frame: six bytes of link-layer address as one number; 0 where there is none. */
  linkSource: Float64Array
  /** Bytes at the IP layer: the whole datagram; for TCP the message with its length prefix. */
  size: Int32Array
  state: Uint8Array
  /** DNS id; NONE where it is not known (an ICMP error that quotes too little, Hubble). */
  dnsId: Int32Array
  /** The header's second 16 bits; NONE where unknown. */
  flags: Int32Array
  /** Response code with the bits of an OPT record; NONE in queries. */
  rcode: Int16Array
  qdcount: Uint16Array
  ancount: Uint16Array
  nscount: Uint16Array
  arcount: Uint16Array
  /** NameId of the first question; NONE where there is none to read. */
  qname: Int32Array
  qtype: Int32Array
  qclass: Int32Array
  edns: Int32Array
  content: Uint8Array
  /** Address records of the type that was asked. */
  addresses: Uint16Array
  /** NameId of the target of the first CNAME, NONE without. */
  cname: Int32Array
  /** Smallest TTL of the answers, in a negative response the negative TTL (RFC 2308); NONE where there is none. */
  recordTtl: Int32Array
  /**
   * Nanoseconds from the SYN to this message, for the first query of a TCP connection whose SYN was captured, and for the reset that
   * answered the SYN itself; NaN elsewhere.
   */
  sinceSyn: Float64Array
  /** The messages' bytes (no TCP length prefix): row i is bytes[start[i] .. start[i] + bytesLength[i]). Only with `keepBytes`. */
  bytes: Buffer
  start: Int32Array
  bytesLength: Int32Array
  /** The answers as text; only of an input that has no bytes (Hubble). */
  answers?: (string[] | null)[]
}

// -- What the user's files say of resolvers ------------------------------------------------------------------------------------

/** What decides a pod's resolv.conf: dnsPolicy, dnsConfig and its namespace. */
export interface PodDns {
  policy: string
  namespace: string
  nameservers: string[]
  searches: string[]
  ndots: number | null
}

/** A resolv.conf(5). */
export interface ResolvConf {
  nameservers: string[]
  search: string[]
  ndots: number
}

// -- Transactions ------------------------------------------------------------------------------------------------------------

export const OUTCOMES = [
  'answered',
  'nodata',
  'nxdomain',
  'servfail',
  'refused',
  'unanswered',
  'capture-ended',
  'truncated',
  'unreachable',
  'other',
  'not-captured',
] as const
export type Outcome = (typeof OUTCOMES)[number]

/** Whether a lookup that ended so did not get what was asked. An end that was not captured is no failure. */
export const isFailure = (outcome: Outcome): boolean =>
  outcome !== 'answered' && outcome !== 'nodata' && outcome !== 'capture-ended' && outcome !== 'not-captured'

export const failuresOf = (outcomes: Record<Outcome, number>): number =>
  OUTCOMES.reduce((n, outcome) => n + (isFailure(outcome) ? outcomes[outcome] : 0), 0)

export const ROLES = ['pod', 'host', 'host-resolver', 'node-local-cache', 'coredns', 'upstream', 'unknown'] as const
export type Role = (typeof ROLES)[number]

export type ServedFrom = 'cache' | 'stale' | 'forwarded' | 'shared' | 'authoritative'

export const WASTE_KINDS = ['search', 'fanOut', 'retransmission', 'truncation', 'family'] as const
export type WasteKind = (typeof WASTE_KINDS)[number]

// -- What people and programs read: plain records, strings and numbers, null for unknown ----------------------------------------

/** A frame that somebody can open in Wireshark. */
export interface FrameRef {
  file: string
  number: number
}

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

export interface LookupWaste {
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

// -- The report ---------------------------------------------------------------------------------------------------------------

/** Quantiles of a duration in milliseconds, from a histogram with a relative error of at most 1 %; null with no sample. */
export interface Quantiles {
  p50: number | null
  p90: number | null
  p99: number | null
  max: number | null
}

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

export interface CacheShare {
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

/** DNS over TLS, over QUIC, and over HTTPS or HTTP/3 to a resolver that everybody knows. */
export type EncryptedOver = 'tls' | 'quic' | 'https' | 'http3'

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

/** What the user wants to see of it, as it was given. */
export interface Filters {
  namespace: string | null
  pod: string | null
  name: string | null
  since: string | null
  until: string | null
}

export interface FilterRecord extends Filters {
  /** How many lookups there are without the filters. */
  lookupsInAll: number
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

/** Worst first. */
export const SEVERITIES = ['problem', 'warning', 'info'] as const
export type Severity = (typeof SEVERITIES)[number]

/** A diagnosis with its evidence; findings/ makes them. */
export interface Finding {
  code: string
  severity: Severity
  what: string
  why: string
  advice: string
  /** Ready to paste: a patch, lines of a Corefile, a command; null where there is none. */
  snippet: string | null
  count: number
  /** `count` as a part of all that could have shown it, 0 to 1; null where there is no whole. */
  share: number | null
  /** Who suffers, or causes it, and who served them: "namespace/pod" where known, else the address. */
  clients: string[]
  servers: string[]
  /** The first, at most ten, and the same as Wireshark display filters, one per file. */
  frames: FrameRef[]
  filters: { file: string; filter: string }[]
  confidence: 'low' | 'medium' | 'high'
  /** Upstream documentation. */
  links: string[]
}

// -- What if ------------------------------------------------------------------------------------------------------------------

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

// -- Comparison ---------------------------------------------------------------------------------------------------------------

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
export type Verdict = 'higher' | 'lower' | 'noise' | 'too few'

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
