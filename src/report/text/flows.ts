/** Packets on port 53 of which flows tell without names: who talks to whom, what was not answered, what was dropped and why. */
import { count, plural } from '../../quantities.ts'
import type { Column } from '../columns.ts'
import type { FlowRow, Report } from '../report-types.ts'
import { tableLines } from '../table.ts'
import { note, type Page, textWidth, wrap } from './page.ts'

const MOST_ROWS = 8

const COLUMNS: readonly Column<FlowRow>[] = [
  { key: 'client', title: 'Packets on port 53', value: f => `  ${f.clientName ?? f.client}`, keep: 'head' },
  { key: 'server', title: 'to', value: f => f.serverName ?? f.server, keep: 'head' },
  { key: 'transport', title: 'over', value: f => f.transport.toUpperCase() },
  {
    key: 'conversations',
    title: 'ports',
    value: f => f.conversations,
    text: f => count(f.conversations),
    align: 'right',
  },
  {
    key: 'unanswered',
    title: 'silent',
    value: f => f.unanswered,
    text: f => (f.unanswered === null ? '' : count(f.unanswered)),
    align: 'right',
    color: f => (f.unanswered ? 'bad' : null),
  },
  {
    key: 'reset',
    title: 'reset',
    value: f => f.reset,
    text: f => count(f.reset),
    align: 'right',
    color: f => (f.reset ? 'bad' : null),
  },
  {
    key: 'dropped',
    title: 'dropped',
    value: f => packetsOf(f) || null,
    text: f => (packetsOf(f) === 0 ? '' : count(packetsOf(f))),
    align: 'right',
    color: () => 'bad',
  },
]

/** Where it says how names become visible. */
const VISIBILITY = 'https://docs.cilium.io/en/stable/observability/visibility/'

export function flows({ flows, totals }: Report, page: Page): string[] {
  if (flows === null) return []
  // Where the proxy tells of every query, only what it cannot tell is worth a table.
  const telling =
    totals.messages === 0 ? flows.pairs : flows.pairs.filter(f => f.drops.length > 0 || f.unanswered || f.reset)
  if (telling.length === 0) return []
  const lines = tableLines(
    telling.some(f => f.reset) ? COLUMNS : COLUMNS.filter(({ key }) => key !== 'reset'),
    telling.slice(0, MOST_ROWS).map(row => ({ row })),
    page.width,
    page.paint,
  )
  lines.push(
    ...dropSentences(telling.slice(0, MOST_ROWS), page),
    ...handshakeSentences(telling.slice(0, MOST_ROWS), page),
  )
  if (telling.length > MOST_ROWS) lines.push(`  and ${telling.length - MOST_ROWS} more`)
  if (totals.messages === 0) {
    lines.push(
      ...note(
        `These flows have no names: ports are client ports seen asking, not queries. To see names, answers and latency, let a CiliumNetworkPolicy with rules.dns send the pods' port 53 through the DNS proxy: ${VISIBILITY}`,
        page,
      ),
    )
  }
  return lines
}

const packetsOf = ({ drops }: FlowRow): number => drops.reduce((n, drop) => n + drop.packets, 0)

/** Where connections were asked for and the server's answer to that was not seen, or was a reset. */
function handshakeSentences(rows: FlowRow[], page: Page): string[] {
  return rows.flatMap(({ client, clientName, server, serverName, tcpFlags, unanswered, reset }) => {
    if (tcpFlags === null || tcpFlags.syn === 0 || (tcpFlags.synAck > 0 && !reset) || (!unanswered && !reset)) return []
    const { syn, synAck, rst } = tcpFlags
    const seen = `SYN seen ${times(syn)}, SYN ACK ${times(synAck)}, RST ${times(rst)}`
    return wrap(`  TCP, ${clientName ?? client} to ${serverName ?? server}: ${seen}`, textWidth(page), '    ')
  })
}

const times = (n: number): string => (n === 0 ? 'never' : plural(n, 'time'))

/** Who lost what, why and where. */
function dropSentences(rows: FlowRow[], page: Page): string[] {
  return rows.flatMap(({ client, clientName, server, serverName, drops }) =>
    drops.flatMap(({ reason, packets, nodes }) => {
      const where = nodes.length > 0 ? ` at ${nodes.join(', ')}` : ''
      const whom = `${clientName ?? client} to ${serverName ?? server}`
      return wrap(`  dropped ${count(packets)}: ${reason}${where}, ${whom}`, textWidth(page), '    ')
    }),
  )
}
