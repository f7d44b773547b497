/**
 * DNS records from lines that `FlowScan` can read, which are nearly all. The ends of flows and the DNS of records come again and again, byte
 * for byte, so what was made of them once is kept. It is the same as what is made of JSON.parse's reading, only sooner.
 */
import { TCP, UDP } from '../model.ts'
import type { Tables } from '../wire/tables.ts'
import type { HubbleIdentities } from './hubble-identity.ts'
import { fieldsOf, type Moment, readMoment, textOf } from './hubble-json.ts'
import { type DnsPart, type DnsRecord, dnsPart, recordOf } from './hubble-record.ts'
import { FlowScan, type Range, type ScannedEnd } from './hubble-scan.ts'

/** More is forgotten, and made anew. */
const MOST_PARTS = 20_000

/** "kind-kind/kind-worker" is the node kind-worker of the cluster kind-kind. */
export const shortName = (node: string): string => node.slice(node.lastIndexOf('/') + 1)

export class ScannedRecords {
  private readonly scan = new FlowScan()
  private readonly tables: Tables
  private readonly identities: HubbleIdentities
  private readonly vantageOf: (node: string | null) => number
  private readonly queries = new Map<string, DnsPart>()
  private readonly answers = new Map<string, DnsPart>()
  /** What the line that `read` read last says. */
  readonly moment: Moment = { seconds: 0, nanos: 0 }
  type: 'REQUEST' | 'RESPONSE' = 'REQUEST'
  verdict: string | undefined = undefined
  node = ''

  constructor(tables: Tables, identities: HubbleIdentities, vantageOf: (node: string | null) => number) {
    this.tables = tables
    this.identities = identities
    this.vantageOf = vantageOf
  }

  /** Null: the line is none of these, or something in it is unusual. */
  read(bytes: Buffer, start: number, end: number, number: number): DnsRecord | null {
    const { scan, moment } = this
    if (!scan.read(bytes, start, end)) return null
    const text = ({ start, end }: Range): string => bytes.latin1Slice(start, end)
    const type = text(scan.type)
    if ((type !== 'REQUEST' && type !== 'RESPONSE') || !readMoment(bytes, scan.time.start, moment)) return null
    const { addresses } = this.tables
    const from = addresses.internText(scan.sourceAddress)
    const to = addresses.internText(scan.destinationAddress)
    const part = this.partOf(text(scan.dns), type === 'RESPONSE')
    if (part === null || from < 0 || to < 0) return null
    this.type = type
    this.verdict = scan.verdict.end === 0 ? undefined : text(scan.verdict)
    this.node = shortName(text(scan.node))
    this.learn(scan.sourceAddress, scan.source, type === 'REQUEST')
    this.learn(scan.destinationAddress, scan.destination, false)
    return recordOf(part, moment, number, this.vantageOf(this.node), scan.isTcp ? TCP : UDP, from, to, scan)
  }

  /** Null where there is no name. */
  private partOf(text: string, response: boolean): DnsPart | null {
    const known = response ? this.answers : this.queries
    let part = known.get(text)
    if (part === undefined) {
      const dns = fieldsOf(JSON.parse(text))
      if (textOf(dns.query) === null) return null
      part = dnsPart(dns, response, undefined, this.tables.names)
      if (known.size >= MOST_PARTS) known.clear()
      known.set(text, part)
    }
    return part
  }

  private learn(address: string, end: ScannedEnd, local: boolean): void {
    const { identities, node } = this
    // Nothing was learned of anybody since this very end was looked at.
    if (end.changes === identities.changes && end.node === node && end.local === local) return
    if (!identities.isKnown(address, end.pod, null, end.identity, local || end.hasId ? node : null))
      identities.observe(address, fieldsOf(JSON.parse(end.raw.latin1Slice(0, end.raw.length))), {}, node, local)
    end.changes = identities.changes
    end.node = node
    end.local = local
  }
}
