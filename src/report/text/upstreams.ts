/** The servers outside the cluster: what each answers, how fast, and whether they agree. */
import { count, milliseconds, share } from '../../quantities.ts'
import type { Column } from '../columns.ts'
import type { Report, ServerRow } from '../report-types.ts'
import { tableLines } from '../table.ts'
import { serverName } from '../words.ts'
import { note, type Page } from './page.ts'

const MOST_ROWS = 8
/** Narrower than this there is no room for the network's part. */
const WIDE = 90
/** Response codes that are named; the others come together. */
const MOST_RCODES = 4

export function upstreams({ servers, findings }: Report, page: Page): string[] {
  const rows = servers.filter(({ role }) => role === 'upstream')
  if (rows.length === 0) return []
  const disagreeing = new Set(findings.filter(({ code }) => code === 'upstreams-disagree').flatMap(f => f.servers))
  const disagrees = (row: ServerRow): boolean => [...disagreeing].some(name => name === row.server)
  const columns: Column<ServerRow>[] = [
    { key: 'server', title: 'Upstreams', value: s => s.server, text: s => `  ${serverName(s)}`, keep: 'head' },
    { key: 'count', title: 'queries', value: s => s.count, text: s => count(s.count), align: 'right' },
    {
      key: 'unanswered',
      title: 'no reply',
      value: s => s.unanswered,
      text: s => count(s.unanswered),
      align: 'right',
      color: s => (s.unanswered ? 'bad' : null),
    },
    { key: 'p50', title: 'p50', value: s => s.wait.p50, text: s => milliseconds(s.wait.p50), align: 'right' },
    { key: 'p99', title: 'p99', value: s => s.wait.p99, text: s => milliseconds(s.wait.p99), align: 'right' },
    {
      key: 'network',
      title: 'net p50',
      value: s => s.network.p50,
      text: s => milliseconds(s.network.p50),
      align: 'right',
      drop: 1,
    },
    { key: 'rcodes', title: 'answers', value: s => rcodes(s), keep: 'start', least: 28 },
    { key: 'agrees', title: 'agree', value: s => (disagrees(s) ? 'no' : null), color: () => 'bad' },
  ]
  const isKnown = page.width >= WIDE && rows.some(row => row.network.p50 !== null)
  // A capture of one direction tells neither.
  const isTimed = rows.some(row => row.unanswered !== null)
  const has: Record<string, boolean> = {
    unanswered: isTimed,
    p50: isTimed,
    p99: isTimed,
    network: isKnown,
    rcodes: isTimed || rows.some(row => rcodes(row) !== ''),
    agrees: rows.some(disagrees),
  }
  const lines = tableLines(
    columns.filter(({ key }) => has[key] ?? true),
    rows.slice(0, MOST_ROWS).map(row => ({ row })),
    page.width,
    page.paint,
  )
  if (rows.length > MOST_ROWS) lines.push(`  and ${rows.length - MOST_ROWS} more`)
  const meaning = [
    isTimed ? 'times in ms' : '',
    isKnown ? 'net: the part of the network' : '',
    rows.some(disagrees) ? 'agree: see upstreams-disagree below' : '',
  ].filter(Boolean)
  return meaning.length > 0 ? [...lines, ...note(meaning.join('; '), page)] : lines
}

/** "NXDOMAIN 56 %, NOERROR 44 %". */
function rcodes({ rcodes }: ServerRow): string {
  const all = Object.entries(rcodes).sort((a, b) => b[1] - a[1])
  const sum = all.reduce((n, [, times]) => n + times, 0)
  const named = all.slice(0, MOST_RCODES).map(([rcode, times]) => `${rcode} ${share(times, sum)}`)
  const rest = all.slice(MOST_RCODES).reduce((n, [, times]) => n + times, 0)
  return [...named, ...(rest > 0 ? [`others ${share(rest, sum)}`] : [])].join(', ')
}
