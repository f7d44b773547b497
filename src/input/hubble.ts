/**
 * Flows that Hubble prints or its exporter writes, one JSON object a line: the envelope of today, the bare flow of older command lines,
 * and what stands between them (lost events, a node's status, events of the agent). Every line is counted under one name in
 * `Capture.lines`; a DNS record of the proxy becomes a message, a packet on port 53 part of a conversation.
 * https://docs.cilium.io/en/stable/observability/hubble/configuration/export/
 */
import { type Capture, NONE, UserError } from '../model.ts'
import type { Frame } from '../wire/frame.ts'
import type { Issues } from '../wire/issues.ts'
import { newMessages } from '../wire/messages.ts'
import type { Tables } from '../wire/tables.ts'
import { nameOf } from './chunks.ts'
import { ACK, Conversations, FIN, RST, SYN } from './hubble-conversations.ts'
import { HubbleIdentities, type NamedAddress } from './hubble-identity.ts'
import { countOf, type Fields, fieldsOf, isFields, type Moment, momentOf, textOf } from './hubble-json.ts'
import { LONGEST_LINE, OTHER_FLOW } from './hubble-lines.ts'
import { append, type DnsRecord, dnsRecord, type Ends, endsOf, isSameEvent, refusal } from './hubble-record.ts'
import { ScannedRecords, shortName } from './hubble-scanned.ts'
import { HubbleText, TEXT_HEAD, TEXT_PIECE, TEXT_STATUS } from './hubble-text.ts'
import { OrderWindow } from './hubble-window.ts'
import { BLANK, NO_JSON, PIECE, Wrapping } from './hubble-wrapping.ts'
import { noteMoment } from './reach.ts'
import type { FrameDecoder } from './read.ts'

/** Where flows leave what is no message. */
export interface FlowSinks {
  /** An address and whose it is, each time that something new is known. */
  learn: (named: NamedAddress) => void
  conversations: Conversations
}

export interface FlowDecoderOptions {
  file: number
  capture: Capture
  tables: Tables
  issues: Issues
  flows?: FlowSinks | undefined
}

/** The columns of Capture that a line can be counted in. */
type LineClass = 'dnsFrames' | 'partFrames' | 'otherFrames' | 'issueFrames'

/** What became of a line: its class, and the name that it is counted under. */
type Verdict = readonly [LineClass, string]

const DNS: Verdict = ['dnsFrames', 'DNS records']
const OTHER: Verdict = ['otherFrames', OTHER_FLOW]

/** The name of the format where flows are text; in a log of JSON single lines of text change nothing. */
export const TEXT_FORMAT = 'Hubble text'

const OPENING_BRACE = 0x7b
const ROWS = 4096
const DNS_PORT = 53
/** event_type.type of a policy's verdict. https://github.com/cilium/cilium/blob/main/pkg/monitor/api/types.go */
const POLICY_VERDICT = 5

const LOST_EVENTS = 'lost events'

/** What may stand in an envelope beside a flow, with its name. */
const EVENTS: readonly [key: string, name: string][] = [
  ['lost_events', LOST_EVENTS],
  ['node_status', 'node status'],
  ['agent_event', 'agent events'],
  ['debug_event', 'debug events'],
  ['rate_limit_info', 'rate limits'],
  ['num_flows', 'server status'],
]
/** A bare flow has one of these. */
const FLOW_FIELDS = ['verdict', 'IP', 'l4', 'Type', 'event_type', 'l7']

export class HubbleDecoder implements FrameDecoder {
  readonly messages = newMessages(ROWS, false)
  private readonly options: FlowDecoderOptions
  private readonly sinks: FlowSinks
  private readonly identities: HubbleIdentities
  private readonly window: OrderWindow<DnsRecord>
  private readonly wrapping = new Wrapping()
  private readonly text = new HubbleText()
  private readonly scanned: ScannedRecords
  /** Vantage by node. */
  private readonly vantages = new Map<string | null, number>()
  /** Lines that only Hubble writes. */
  private recognised = 0

  constructor(options: FlowDecoderOptions) {
    this.options = options
    this.sinks = options.flows ?? { learn: () => undefined, conversations: new Conversations() }
    this.identities = new HubbleIdentities(this.sinks.learn)
    this.scanned = new ScannedRecords(options.tables, this.identities, node => this.vantageOf(node))
    this.messages.answers = []
    this.window = new OrderWindow(record => append(this.messages, record, options.file))
    options.capture.lines ??= {}
  }

  decode(frame: Frame): void {
    const [column, name] = this.read(frame)
    const { capture } = this.options
    capture[column]++
    this.countLine(name)
  }

  flush(): void {
    const { capture } = this.options
    this.window.flush()
    if (this.wrapping.isOpen && !capture.interrupted) this.issue('line-cut', capture.frames)
    if (this.recognised === 0 && !capture.lines?.[OTHER_FLOW] && capture.frames > 0 && !capture.interrupted)
      throw new UserError(`${nameOf(capture.file)} has lines of JSON or text, but not one flow of Hubble.`)
  }

  settle(quiet: boolean): void {
    const { last } = this.options.capture
    if (quiet) this.window.releaseAll()
    else if (last !== null) this.window.pass(last.seconds)
  }

  private countLine(name: string): void {
    const lines = this.options.capture.lines as Record<string, number>
    lines[name] = (lines[name] ?? 0) + 1
  }

  private issue(code: string, frame: number): Verdict {
    this.options.issues.add(code, this.options.capture.file, frame)
    return ['issueFrames', code]
  }

  // -- A line ------------------------------------------------------------------------------------------------------------------

  private read(frame: Frame): Verdict {
    const { bytes, start, end, wireLength, number } = frame
    if (wireLength === end - start && !this.wrapping.isOpen) {
      const { scanned } = this
      const record = scanned.read(bytes, start, end, number)
      if (record !== null) {
        this.recognised++
        noteMoment(this.options.capture, scanned.moment)
        return this.place(record, scanned.type, scanned.verdict, scanned.node)
      }
    }
    if (wireLength > LONGEST_LINE) return this.issue('line-too-long', number)
    const line = bytes.toString('utf8', start, end)
    if (line.includes('\ufffd')) this.issue('line-encoding', number)
    if (bytes[start] !== OPENING_BRACE && !this.wrapping.isOpen) {
      const verdict = this.readText(line, number)
      if (verdict !== null) return verdict
    }
    const json = this.wrapping.unwrap(line)
    if (json === BLANK) return ['otherFrames', 'blank lines']
    if (json === PIECE) return ['partFrames', 'pieces of objects']
    if (json === NO_JSON) return this.issue('line-not-json', number)
    let value: unknown
    try {
      value = JSON.parse(json)
    } catch {
      if (line.startsWith('{"flow":') || line.startsWith('{"time":')) this.recognised++
      return this.issue(wireLength > end - start ? 'line-cut' : 'line-damaged', number)
    }
    if (!Array.isArray(value)) return this.take(fieldsOf(value), number)
    let verdict: Verdict = ['otherFrames', 'other JSON']
    for (const item of value) {
      const next = this.take(fieldsOf(item), number)
      if (verdict[0] !== 'dnsFrames') verdict = next
    }
    return verdict
  }

  /** A line of what Hubble prints for people; null where it is none. */
  private readText(line: string, number: number): Verdict | null {
    const told = this.text.read(line)
    if (told === null) return null
    this.recognised++
    if (told === TEXT_HEAD) return ['otherFrames', told]
    if (told === TEXT_PIECE) return ['partFrames', told]
    if (told === TEXT_STATUS) {
      if (HubbleText.isUnavailable(line)) this.issue('node-unavailable', number)
      return ['otherFrames', told]
    }
    if ('lost' in told) {
      const moment = momentOf(told.time)
      if (moment !== null) noteMoment(this.options.capture, moment)
      this.drop(told.lost)
      return ['otherFrames', LOST_EVENTS]
    }
    const { source, destination } = fieldsOf(told.flow.IP)
    for (const host of [source, destination]) this.options.tables.addresses.internName(host as string)
    if (told.table) this.window.holdTable()
    return this.takeFlow(told.flow, null, null, number)
  }

  private take(fields: Fields, number: number): Verdict {
    const node = textOf(fields.node_name)
    const moment = momentOf(fields.time)
    if (isFields(fields.flow)) return this.takeFlow(fields.flow, node, moment, number)
    const event = EVENTS.find(([key]) => fields[key] !== undefined)
    if (event !== undefined) {
      this.recognised++
      if (moment !== null) noteMoment(this.options.capture, moment)
      this.takeEvent(event[0], fieldsOf(fields[event[0]]), node, number)
      return ['otherFrames', event[1]]
    }
    if (fields.num_events_lost !== undefined) {
      this.recognised++
      this.lose(fields)
      return ['otherFrames', LOST_EVENTS]
    }
    if (moment !== null && FLOW_FIELDS.some(key => fields[key] !== undefined))
      return this.takeFlow(fields, node, moment, number)
    return ['otherFrames', 'other JSON']
  }

  private takeEvent(key: string, event: Fields, node: string | null, number: number): void {
    if (key === 'lost_events') this.lose(event)
    if (key === 'rate_limit_info') this.drop(countOf(event.number_of_dropped_events))
    if (key === 'node_status' && event.state_change !== 'NODE_CONNECTED') this.issue('node-unavailable', number)
    if (key === 'agent_event') this.learnFromCache(fieldsOf(event.ipcache_update), node)
  }

  private lose(event: Fields): void {
    this.drop(countOf(event.num_events_lost))
  }

  private drop(events: number): void {
    const { capture } = this.options
    capture.dropped = (capture.dropped ?? 0) + events
  }

  /** The agent says whose an address has become. */
  private learnFromCache(update: Fields, node: string | null): void {
    const address = textOf(update.cidr)?.match(/^([^/]+)\/(?:32|128)$/)?.[1]
    if (address !== undefined && textOf(update.pod_name) !== null)
      this.identities.observe(address, update, {}, node, false)
  }

  // -- A flow ------------------------------------------------------------------------------------------------------------------

  private takeFlow(flow: Fields, outerNode: string | null, outer: Moment | null, number: number): Verdict {
    this.recognised++
    const moment = momentOf(flow.time) ?? outer
    if (moment !== null) noteMoment(this.options.capture, moment)
    const nodeName = textOf(flow.node_name) ?? outerNode
    const node = nodeName === null ? null : shortName(nodeName)
    const dns = fieldsOf(flow.l7).dns
    const ends = endsOf(flow)
    const onPort53 = ends !== null && (ends.sourcePort === DNS_PORT || ends.destinationPort === DNS_PORT)
    if (!isFields(dns) && !onPort53) return OTHER
    if (flow.aggregate !== undefined) return this.unusable('flow-aggregated', 'aggregated flows', number)
    if (ends === null) return this.unusable('flow-fields', 'flows without time or addresses', number)
    if (moment === null) return this.takeUntimed(flow, isFields(dns), ends, node, number)
    return isFields(dns)
      ? this.takeRecord(flow, dns, ends, moment, node, number)
      : this.takePacket(flow, ends, moment, node, number)
  }

  /** A flow without a time: of packets it matters little when they were; a query and its answer without times are no lookup. */
  private takeUntimed(flow: Fields, isDns: boolean, ends: Ends, node: string | null, number: number): Verdict {
    const { capture } = this.options
    if (capture.format !== TEXT_FORMAT) return this.unusable('flow-fields', 'flows without time or addresses', number)
    return isDns
      ? this.unusable('line-untimed', 'DNS records without time', number)
      : this.takePacket(flow, ends, capture.last ?? { seconds: 0, nanos: 0 }, node, number)
  }

  private unusable(code: string, name: string, number: number): Verdict {
    this.options.issues.add(code, this.options.capture.file, number)
    return ['partFrames', name]
  }

  /** A DNS record of the proxy. */
  private takeRecord(
    flow: Fields,
    dns: Fields,
    ends: Ends,
    moment: Moment,
    node: string | null,
    number: number,
  ): Verdict {
    const { type } = fieldsOf(flow.l7)
    const record = dnsRecord(flow, ends, moment, number, this.vantageOf(node), this.options.tables)
    if (record === null || (type !== 'REQUEST' && type !== 'RESPONSE') || textOf(dns.query) === null)
      return this.unusable('flow-fields', 'flows without time or addresses', number)
    this.learn(flow, ends, node, type === 'REQUEST')
    return this.place(record, type, flow.verdict, node)
  }

  /** Puts the record where it belongs in time, and says what became of it. */
  private place(record: DnsRecord, type: 'REQUEST' | 'RESPONSE', verdict: unknown, node: string | null): Verdict {
    if (this.window.holds(record, isSameEvent)) return ['partFrames', 'DNS records told twice']
    // The answer was reported before it could not be handed to the client.
    if (type === 'RESPONSE' && verdict === 'ERROR') return ['partFrames', 'DNS answers not delivered']
    if (type === 'RESPONSE') {
      this.add(record)
      return DNS
    }
    // An ERROR comes behind the query's own record, a denied query has no other.
    if (verdict !== 'ERROR') this.add(record)
    if (verdict === 'ERROR' || verdict === 'DROPPED') {
      this.window.add(refusal(record))
      this.addRefusal(record, verdict === 'DROPPED' ? 'denied by a DNS rule' : "the proxy's error", node)
      return [
        'dnsFrames',
        verdict === 'DROPPED' ? 'DNS records of denied queries' : "DNS records of the proxy's errors",
      ]
    }
    return DNS
  }

  private add(record: DnsRecord): void {
    const { capture } = this.options
    capture.messages++
    if (!this.window.add(record)) capture.clockStepsBack++
  }

  private addRefusal(record: DnsRecord, dropped: string, node: string | null): void {
    const isListed = this.sinks.conversations.add({
      client: record.from,
      clientPort: record.fromPort,
      server: record.to,
      transport: record.transport,
      reply: false,
      flags: 0,
      tracked: true,
      dropped,
      verdictOnly: false,
      node,
      time: record.seconds * 1e9,
    })
    if (!isListed) this.issue('pairs-limit', record.frame)
  }

  /** A packet on port 53, or a verdict about one. */
  private takePacket(flow: Fields, ends: Ends, moment: Moment, node: string | null, number: number): Verdict {
    const { addresses } = this.options.tables
    const source = addresses.internText(ends.source)
    const destination = addresses.internText(ends.destination)
    if (source === NONE || destination === NONE)
      return this.unusable('flow-fields', 'flows without time or addresses', number)
    this.learn(flow, ends, node, false)
    const both = ends.sourcePort === DNS_PORT && ends.destinationPort === DNS_PORT
    const reply = both ? flow.is_reply === true : ends.sourcePort === DNS_PORT
    const dropped = flow.verdict === 'DROPPED' || flow.verdict === 'ERROR'
    const isListed = this.sinks.conversations.add({
      client: reply ? destination : source,
      clientPort: reply ? ends.destinationPort : ends.sourcePort,
      server: reply ? source : destination,
      transport: ends.transport,
      reply,
      flags: flagsOf(fieldsOf(fieldsOf(flow.l4).TCP).flags),
      tracked: typeof flow.is_reply === 'boolean',
      dropped: dropped ? reasonOf(flow) : null,
      verdictOnly: fieldsOf(flow.event_type).type === POLICY_VERDICT,
      node,
      time: moment.seconds * 1e9 + moment.nanos,
    })
    if (!isListed) this.issue('pairs-limit', number)
    return ['partFrames', 'packets on port 53']
  }

  private learn(flow: Fields, ends: Ends, node: string | null, sourceIsLocal: boolean): void {
    this.identities.observe(ends.source, fieldsOf(flow.source), fieldsOf(flow.source_service), node, sourceIsLocal)
    this.identities.observe(
      ends.destination,
      fieldsOf(flow.destination),
      fieldsOf(flow.destination_service),
      node,
      false,
    )
  }

  private vantageOf(node: string | null): number {
    let vantage = this.vantages.get(node)
    if (vantage === undefined) {
      const { file, tables } = this.options
      vantage = tables.vantages.intern(file, node === null ? NONE : this.vantages.size, node, NONE)
      this.vantages.set(node, vantage)
    }
    return vantage
  }
}

function flagsOf(value: unknown): number {
  const flags = fieldsOf(value)
  return (flags.SYN ? SYN : 0) | (flags.ACK ? ACK : 0) | (flags.RST ? RST : 0) | (flags.FIN ? FIN : 0)
}

function reasonOf(flow: Fields): string {
  const described = textOf(flow.drop_reason_desc)
  if (described !== null) return described
  const { drop_reason: code, drop_reason_desc: number } = flow
  return `drop reason ${countOf(code) || countOf(number) || 'unknown'}`
}
