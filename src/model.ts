/**
 * The central types, in the order of the data's journey: bytes become messages, messages transactions, transactions lookups and
 * hops, and these a report, whose own types stand in report/. Units are in the names or comments. Unknown is null in records that
 * people and programs read, and NONE (-1) in the typed columns of the hot path.
 *
 * Times: `seconds` are whole seconds since 1970 (may be negative), `nanos` 0..999,999,999. Everywhere after the waist a time is
 * one double: nanoseconds since the run's origin, exact for 104 days.
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
export const EDNS_SIZE = 0xffff
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
  /** The first address of an answer to A, as one signed number; 0 without. */
  ipv4: Int32Array
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

// -- What the findings and the report tell in ------------------------------------------------------------------------------------

/** A frame that somebody can open in Wireshark. */
export interface FrameRef {
  file: string
  number: number
}

/** Quantiles of a duration in milliseconds, from a histogram with a relative error of at most 1 %; null with no sample. */
export interface Quantiles {
  p50: number | null
  p90: number | null
  p99: number | null
  max: number | null
}

/** DNS over TLS, over QUIC, and over HTTPS or HTTP/3 to a resolver that everybody knows. */
export type EncryptedOver = 'tls' | 'quic' | 'https' | 'http3'

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
  /** Id of a lookup that shows it, for `dnstrail show`; null where none is known. */
  lookup: string | null
  frames: FrameRef[]
  filters: { file: string; filter: string }[]
  confidence: 'low' | 'medium' | 'high'
  /** Upstream documentation. */
  links: string[]
}
