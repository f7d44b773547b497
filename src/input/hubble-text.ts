/**
 * What `hubble observe` prints for people, as it is pasted from an incident: a flow a line (compact, tab) or a flow a block (dict). Each
 * becomes the flow that -o json would have printed, as far as the text tells: there are names in place of most addresses, and neither
 * the year nor, of DNS records, the transport. https://github.com/cilium/cilium/blob/main/hubble/pkg/printer/printer.go
 */
import type { Fields } from './hubble-json.ts'
import { answerOf } from './hubble-summary.ts'
import { rfc3339 } from './hubble-text-time.ts'

/** What a line of text is: a flow, or */
export const TEXT_HEAD = 'heads of tables'
export const TEXT_PIECE = 'pieces of flows'
export const TEXT_STATUS = 'node status'

export type TextLine =
  | { flow: Fields; table: boolean }
  | { lost: number; time: string | null }
  | typeof TEXT_HEAD
  | typeof TEXT_PIECE
  | typeof TEXT_STATUS
  | null

/** Longer lines are none of these, and would keep the expressions below busy. */
const LONGEST_TEXT = 4096
const DNS_PORT = 53
/** event_type.type of a packet that was seen on its way. */
const PACKET = 4

/** `client` on the left in both directions, so `<-` is a reply whose sender stands on the right. */
const ARROW = /^(.*?\S) (->|<-|<>) (\S.*)$/
/** | host | identity | type | verdict | policies | summary | */
const BEHIND_ARROW =
  /^(\S+)(?: \(([^()]*)\))? +(\S.*?) +(FORWARDED|DROPPED|ERROR|AUDIT|REDIRECTED|TRACED|TRANSLATED|VERDICT_UNKNOWN|UNKNOWN(?: \d+)?|ALLOWED|DENIED|AUDITED)(?: BY .*)? \((.*)\)$/
/** | time | node | host | identity | */
const BEFORE_ARROW = /^(?:(.*?)(?: \[([^\]]*)\])?: )?(\S+)(?: \(([^()]*)\))?$/
/** | time | source | cpu | count | */
const LOST = /^(?:(.*?)(?: \[[^\]]*\])?:? )?EVENTS LOST: (\S+) CPU\(\d+\) (\d+)(?: \(.*\))?$/
/** The relay's word about its nodes. | time | relay | what | */
const STATUS = /^(.*?) \[([^\]]*)\]: (?:Receiving flows from \d|\d+ nodes? |Error ".*" on \d)/
const UNAVAILABLE = /unavailable|removed|Error "/
const DICT = /^ {0,9}(TIMESTAMP|NODE|SOURCE|DESTINATION|TYPE|VERDICT|SUMMARY): ?(.*)$/
const LOST_TYPE = 'EVENTS LOST'
const SEPARATOR = /^-{6,}$/
const TAB_GAP = / {3,}|\t+/
/** What `cilium monitor` prints of a packet. | from | to | transport | flags | */
const MONITOR = /: (\S+:\d+) -> (\S+:\d+) (udp|tcp)(?: ([A-Z, ]+))?$/
const MONITOR_HEAD = /^(?:->|<-|xx) .*\bidentity /

/** The part of a flow that a form of text gives. */
interface Told {
  time: string | null
  node: string | null
  source: string
  sourceIdentity: string | undefined
  destination: string
  destinationIdentity: string | undefined
  type: string
  verdict: string
  summary: string
  /** Undefined where Hubble does not know. */
  reply: boolean | undefined
  /** Only an arrow tells whether Hubble knows. */
  arrow: boolean
}

export class HubbleText {
  private readonly now: () => number
  /** The columns of the table that is being read; null before its head. */
  private columns: string[] | null = null
  /** The fields of the block that is being read. */
  private block: Record<string, string> = {}

  /** `now` (milliseconds) tells the year that is meant. */
  constructor(now: () => number = Date.now) {
    this.now = now
  }

  /** Null: it is nothing that Hubble prints. */
  read(line: string): TextLine {
    const text = line.trimEnd()
    if (text.length > LONGEST_TEXT) return null
    const row = ARROW.exec(text)
    if (row !== null) {
      const compact = this.compact(row[1], row[2], row[3])
      if (compact !== null) return { flow: this.flowOf(compact), table: false }
    }
    const lost = LOST.exec(text)
    if (lost !== null) return { lost: Number(lost[3]), time: this.timeOf(lost[1]) }
    const field = DICT.exec(text)
    if (field !== null) return this.dict(field[1], field[2].trim())
    if (SEPARATOR.test(text)) return TEXT_PIECE
    return this.tab(text) ?? this.monitor(text) ?? (STATUS.test(text) ? TEXT_STATUS : null)
  }

  /** True where the relay says that flows will be missing. */
  static isUnavailable(line: string): boolean {
    return UNAVAILABLE.test(line)
  }

  private timeOf(text: string | undefined): string | null {
    return text === undefined ? null : rfc3339(text, this.now())
  }

  // -- The forms -----------------------------------------------------------------------------------------------------------------

  private compact(left: string, arrow: string, right: string): Told | null {
    const before = BEFORE_ARROW.exec(left)
    const behind = BEHIND_ARROW.exec(right)
    if (before === null || behind === null) return null
    const [, time, node, leftHost, leftIdentity] = before
    const [, rightHost, rightIdentity, type, verdict, summary] = behind
    const swapped = arrow === '<-'
    return {
      time: this.timeOf(time),
      node: node ?? null,
      source: swapped ? rightHost : leftHost,
      sourceIdentity: swapped ? rightIdentity : leftIdentity,
      destination: swapped ? leftHost : rightHost,
      destinationIdentity: swapped ? leftIdentity : rightIdentity,
      type,
      verdict,
      summary,
      reply: arrow === '<>' ? undefined : swapped,
      arrow: true,
    }
  }

  private dict(key: string, value: string): TextLine {
    this.block[key] = value
    if (key !== 'SUMMARY') return TEXT_PIECE
    const told = this.fromFields(this.block)
    const { TYPE: type, TIMESTAMP: time } = this.block
    this.block = {}
    if (type === LOST_TYPE) return this.lostOf(value, time)
    return told === null ? TEXT_PIECE : { flow: this.flowOf(told), table: false }
  }

  private tab(text: string): TextLine {
    const cells = text.trim().split(TAB_GAP)
    if (cells[0] === 'TIMESTAMP' && cells.includes('SUMMARY')) {
      this.columns = cells
      return TEXT_HEAD
    }
    // Its other cells are empty, and an empty cell is a wider gap.
    if (cells.includes(LOST_TYPE)) return this.lostOf(cells[cells.length - 1], cells[0])
    const columns = this.columns?.length === cells.length ? this.columns : usualColumns(cells.length)
    if (columns === null) return null
    const fields: Record<string, string> = {}
    for (let i = 0; i < columns.length; i++) fields[columns[i]] = cells[i]
    if (fields.TIMESTAMP !== undefined && this.timeOf(fields.TIMESTAMP) === null) return null
    const told = this.fromFields(fields)
    return told === null ? null : { flow: this.flowOf(told), table: true }
  }

  private lostOf(summary: string, time: string | undefined): TextLine {
    const count = /(\d+)\)?$/.exec(summary)
    return { lost: count === null ? 0 : Number(count[1]), time: this.timeOf(time) }
  }

  private fromFields(fields: Record<string, string>): Told | null {
    const { TIMESTAMP, NODE, SOURCE, DESTINATION, TYPE, VERDICT, SUMMARY } = fields
    if (!SOURCE || !DESTINATION || !TYPE || !VERDICT || SUMMARY === undefined) return null
    return {
      time: this.timeOf(TIMESTAMP),
      node: NODE ?? null,
      source: SOURCE,
      sourceIdentity: undefined,
      destination: DESTINATION,
      destinationIdentity: undefined,
      type: TYPE,
      verdict: VERDICT,
      summary: SUMMARY,
      reply: undefined,
      arrow: false,
    }
  }

  /** Not Hubble's, but pasted beside it: who sent what to whom. */
  private monitor(text: string): TextLine {
    const parts = MONITOR_HEAD.test(text) ? MONITOR.exec(text) : null
    if (parts === null) return null
    const [, source, destination, transport, flags] = parts
    const state = /\bstate (\w+)/.exec(text)?.[1]
    const told: Told = {
      time: null,
      node: null,
      source,
      sourceIdentity: undefined,
      destination,
      destinationIdentity: undefined,
      type: text.startsWith('xx') ? 'drop' : 'to-endpoint',
      verdict: text.startsWith('xx') ? 'DROPPED' : 'FORWARDED',
      summary: transport === 'tcp' ? `TCP Flags: ${flags ?? ''}` : 'UDP',
      reply: state === undefined ? undefined : state === 'reply',
      arrow: true,
    }
    return { flow: this.flowOf(told), table: false }
  }

  // -- The flow ------------------------------------------------------------------------------------------------------------------

  private flowOf(told: Told): Fields {
    const source = hostOf(told.source, told.sourceIdentity)
    const destination = hostOf(told.destination, told.destinationIdentity)
    const ports = { source_port: source.port, destination_port: destination.port }
    const dns = told.type.startsWith('dns-') ? answerOf(told.summary) : null
    const tcp = /^TCP(?: Flags: (.*))?$/.exec(told.summary)
    const flags = tcp?.[1]?.split(/,? /).filter(Boolean) ?? []
    const response = told.type.startsWith('dns-response')
    const other = !dns && tcp === null && told.summary !== 'UDP' && !/^IP Trace ID.*UDP/.test(told.summary)
    return {
      time: told.time ?? undefined,
      verdict: verdictOf(told.verdict),
      IP: { source: source.address, destination: destination.address },
      l4: tcp
        ? { TCP: { ...ports, flags: Object.fromEntries(flags.map(flag => [flag, true])) } }
        : other
          ? {}
          : { UDP: ports },
      source: source.end,
      destination: destination.end,
      node_name: told.node ?? undefined,
      ...(dns ? { l7: { type: response ? 'RESPONSE' : 'REQUEST', dns } } : {}),
      event_type: { type: eventType(told.type, told.verdict) },
      source_service: source.service,
      destination_service: destination.service,
      is_reply: dns
        ? response
        : (told.reply ?? (told.arrow ? undefined : replyOf(told, source.port, destination.port))),
      drop_reason_desc: verdictOf(told.verdict) === 'DROPPED' && !dns ? dropReason(told.type) : undefined,
    }
  }
}

/** A packet that was let through belongs to a connection, and the port tells which way it went. */
function replyOf({ type, verdict }: Told, from: number, to: number): boolean | undefined {
  const isPacket = eventType(type, verdict) === PACKET
  return isPacket && (from === DNS_PORT) !== (to === DNS_PORT) ? from === DNS_PORT : undefined
}

function usualColumns(count: number): string[] | null {
  const usual = ['SOURCE', 'DESTINATION', 'TYPE', 'VERDICT', 'SUMMARY']
  if (count === 5) return usual
  if (count === 6) return ['TIMESTAMP', ...usual]
  return count === 7 ? ['TIMESTAMP', 'NODE', ...usual] : null
}

interface Host {
  address: string
  port: number
  end: Fields
  service: Fields
}

/** Services that stand where a pod could: without an identity the name alone tells. */
const DNS_SERVICE = /^(?:kube-dns|coredns|rke2-coredns.*)$/
const POD_SUFFIX = /-[bcdfghjklmnpqrstvwxz2456789]{5}$/

/** "ns/pod:53", "10.0.0.1:53(domain)", "[fd00::1]:53", "fd00::1", with "ID:26450" or "world" beside it. */
function hostOf(text: string, identity: string | undefined): Host {
  const bracketed = /^\[([^\]]+)\](?::(\d+))?/.exec(text)
  const plain = /^([^:]+)(?::(\d+)(?:\([\w-]+\))?)?$/.exec(text)
  const [, address, port] = bracketed ?? plain ?? [text, text, undefined]
  const number = /^ID:(\d+)$/.exec(identity ?? '')?.[1]
  const reserved = identity !== undefined && number === undefined && identity !== 'unknown'
  const end: Fields = { identity: number, labels: reserved ? [`reserved:${identity}`] : undefined }
  const host: Host = { address, port: Number(port ?? 0), end, service: {} }
  const [, namespace, name] = /^([^/,]+)\/([^/,]+)$/.exec(address) ?? []
  if (name === undefined) {
    // A pod's name alone, as some redact it.
    if (number !== undefined && Number(number) >= 256 && !/[.:]/.test(address)) host.end.pod_name = address
    return host
  }
  if (reserved || (DNS_SERVICE.test(name) && !POD_SUFFIX.test(name))) host.service = { namespace, name }
  else Object.assign(host.end, { namespace, pod_name: name })
  return host
}

function verdictOf(verdict: string): string {
  if (verdict === 'ALLOWED') return 'FORWARDED'
  if (verdict === 'DENIED') return 'DROPPED'
  return verdict === 'AUDITED' ? 'AUDIT' : verdict
}

/** event_type.type. https://github.com/cilium/cilium/blob/main/pkg/monitor/api/types.go */
function eventType(type: string, verdict: string): number {
  if (type.startsWith('dns-')) return 129
  if (type.startsWith('policy-verdict')) return 5
  if (/^(?:pre|post)-xlate/.test(type)) return 7
  return verdict === 'DROPPED' ? 1 : PACKET
}

/** "Policy denied" is POLICY_DENIED in JSON. */
function dropReason(type: string): string | undefined {
  if (type.startsWith('policy-verdict')) return 'POLICY_DENIED'
  if (/^Policy denied by denylist/i.test(type)) return 'POLICY_DENY'
  return type === 'drop' ? undefined : type.toUpperCase().replace(/[^A-Z0-9]+/g, '_')
}
