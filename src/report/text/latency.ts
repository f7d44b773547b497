/** Latency per hop: one row an edge, and one per server address where an edge has several. */
import { count, milliseconds, share } from '../../quantities.ts'
import type { Column } from '../columns.ts'
import type { EdgeRow, Report } from '../report-types.ts'
import { type TableRow, tableLines } from '../table.ts'
import { asker, ROLE_WORDS, serverName } from '../words.ts'
import { note, type Page } from './page.ts'

const MOST_SERVERS = 4
/** Narrower than this there is no room for the network's part. */
const WIDE = 90

/** An edge by the role that is asked; who asks stands in the line above. */
const asked = (edge: EdgeRow) => (edge.server === null ? `  ${ROLE_WORDS[edge.to]}` : `    ${serverName(edge)}`)

const COLUMNS: readonly Column<EdgeRow>[] = [
  { key: 'server', title: 'Latency per hop (ms)', value: asked, keep: 'head', least: 18 },
  { key: 'count', title: 'queries', value: e => e.count, text: e => count(e.count), align: 'right' },
  {
    key: 'unanswered',
    title: 'no reply',
    value: e => e.unanswered,
    text: e => count(e.unanswered),
    align: 'right',
    color: e => (e.unanswered ? 'bad' : null),
  },
  { key: 'p50', title: 'p50', value: e => e.wait.p50, text: e => milliseconds(e.wait.p50), align: 'right' },
  { key: 'p90', title: 'p90', value: e => e.wait.p90, text: e => milliseconds(e.wait.p90), align: 'right' },
  { key: 'p99', title: 'p99', value: e => e.wait.p99, text: e => milliseconds(e.wait.p99), align: 'right' },
  { key: 'max', title: 'max', value: e => e.wait.max, text: e => milliseconds(e.wait.max), align: 'right' },
  { key: 'own', title: 'own p50', value: e => e.own.p50, text: e => milliseconds(e.own.p50), align: 'right', drop: 1 },
  {
    key: 'network',
    title: 'net p50',
    value: e => e.network.p50,
    text: e => milliseconds(e.network.p50),
    align: 'right',
    drop: 2,
  },
  { key: 'cache', title: 'cache', value: e => e.cacheHits, text: e => share(e.cacheHits, e.count), align: 'right' },
]

/** `mostServers` rows of single servers beneath an edge that has several; `explained`: with a note of what the columns mean. */
export function latency(
  report: Pick<Report, 'edges'>,
  page: Page,
  mostServers = MOST_SERVERS,
  explained = true,
): string[] {
  const edges = report.edges.filter(edge => edge.server === null && edge.count > 0)
  if (edges.length === 0) return []
  const rows: TableRow<EdgeRow>[] = []
  for (const from of new Set(edges.map(edge => edge.from))) {
    rows.push({ group: `${asker(from)} asks` })
    for (const edge of edges.filter(edge => edge.from === from)) {
      rows.push({ row: edge })
      const servers = report.edges
        .filter(row => row.server !== null && row.from === from && row.to === edge.to)
        .sort((a, b) => b.count - a.count)
      if (servers.length < 2 || mostServers === 0) continue
      for (const row of servers.slice(0, mostServers)) rows.push({ row })
      if (servers.length > mostServers) rows.push({ group: `    and ${servers.length - mostServers} more` })
    }
  }
  const hasOwn = edges.some(edge => edge.own.p50 !== null)
  const hasCache = edges.some(edge => edge.cacheHits !== null)
  const hasNetwork = page.width >= WIDE && edges.some(edge => edge.network.p50 !== null)
  // A capture of one direction tells neither.
  const isTimed = edges.some(edge => edge.unanswered !== null)
  const times = Object.fromEntries(['unanswered', 'p50', 'p90', 'p99', 'max'].map(key => [key, isTimed]))
  const has: Record<string, boolean> = { ...times, own: hasOwn, network: hasNetwork, cache: hasCache }
  const columns = COLUMNS.filter(({ key }) => has[key] ?? true).map(column =>
    column.key === 'server' && !isTimed ? { ...column, title: 'Queries per hop' } : column,
  )
  const meaning = [
    hasOwn ? 'own: without the hops behind it' : '',
    hasNetwork ? 'net: of it the network' : '',
    hasCache ? 'cache: answered from its cache' : '',
  ].filter(Boolean)
  return [
    ...tableLines(columns, rows, page.width, page.paint),
    ...(explained && meaning.length > 0 ? note(meaning.join('; '), page) : []),
  ]
}
