/** The path that the cluster's DNS takes: who asks whom, with how many queries, drawn as a tree from the edges. */
import type { Role } from '../../model.ts'
import { count, roughDuration, share } from '../../quantities.ts'
import { escapeText } from '../escape.ts'
import type { EdgeRow, Report } from '../report-types.ts'
import { shorten } from '../shorten.ts'
import { ROLE_WORDS, roleCount, serverName } from '../words.ts'
import { LABEL, type Page } from './page.ts'

interface Line {
  /** Branches and role, or the askers. */
  left: string
  edge: EdgeRow | null
}

export function path(report: Report, page: Page): string[] {
  const edges = report.edges.filter(edge => edge.server === null && edge.count > 0)
  if (edges.length === 0) return []
  const lines: Line[] = []
  const servers = new Set(report.edges.map(edge => edge.server))
  for (const [askers, group] of askerGroups(edges, servers)) {
    lines.push({ left: askers, edge: null })
    branch(lines, edges, group, '')
  }
  return fitted(lines, report, page).map(
    (line, i) => (i === 0 ? page.paint.head('Path'.padEnd(LABEL)) : ' '.repeat(LABEL)) + line,
  )
}

/**
 * The first rank: who asks and is asked by nobody. Those who ask the same servers stand together. A process that asks an address of its own
 * node has that address itself, as one of `servers` (host processes at a node-local cache).
 */
function askerGroups(edges: EdgeRow[], servers: ReadonlySet<string | null>): Map<string, EdgeRow[]> {
  const asked = new Set(edges.filter(edge => edge.from !== edge.to).map(edge => edge.to))
  const isClient = (role: Role) => role === 'pod' || role === 'host' || role === 'unknown' || !asked.has(role)
  const groups = new Map<string, EdgeRow[]>()
  for (const edge of byCount(edges.filter(edge => isClient(edge.from)))) {
    const more = edge.clients > edge.askers.length ? ', …' : ''
    const askers = edge.askers.map(asker =>
      edge.from === 'host' && servers.has(asker) ? `${asker} (the node itself)` : asker,
    )
    const names = askers.length > 0 ? `: ${askers.join(', ')}${more}` : ''
    const key = roleCount(edge.from, edge.clients) + names
    groups.set(key, [...(groups.get(key) ?? []), edge])
  }
  return groups
}

/**
 * One line an edge, and beneath it what its server asks in turn. The same server may be asked by several; what it asks is drawn once,
 * where it is asked most, because the edges do not tell on whose behalf it asked.
 */
function branch(lines: Line[], edges: EdgeRow[], group: EdgeRow[], indent: string): void {
  group.forEach((edge, i) => {
    const last = i === group.length - 1
    lines.push({ left: `${indent}${last ? '└─ ' : '├─ '}${ROLE_WORDS[edge.to]}`, edge })
    const busiest = byCount(edges.filter(other => other.to === edge.to && other.from !== edge.to))[0]
    if (busiest !== edge) return
    const onward = byCount(edges.filter(other => other.from === edge.to && other.to !== edge.to && isBehind(other)))
    branch(lines, edges, onward, indent + (last ? '   ' : '│  '))
  })
}

const RANK: Record<Role, number> = {
  unknown: 0,
  pod: 0,
  host: 0,
  'host-resolver': 1,
  'node-local-cache': 2,
  coredns: 3,
  upstream: 4,
}

/** Only forward, so that the tree ends: a health check of CoreDNS back to the node-local cache is no path. */
const isBehind = (edge: EdgeRow) => RANK[edge.to] > RANK[edge.from]

const byCount = (edges: EdgeRow[]) => [...edges].sort((a, b) => b.count - a.count)

function servers(report: Report, edge: EdgeRow, most: number): string {
  const rows = byCount(report.edges.filter(row => row.server !== null && row.from === edge.from && row.to === edge.to))
  const more = rows.length > most ? ` +${rows.length - most}` : ''
  const shown = rows.slice(0, most)
  // One name for several addresses stands in front of the first.
  const addresses = shown.map((row, i) => (row.name === shown[i - 1]?.name ? row.server : serverName(row)))
  return addresses.length === 0 ? '' : ` ${addresses.join(', ')}${more}`
}

/** "2 unanswered, 1 SERVFAIL (1.4 %)", or in few words "3 failed (1.4 %)"; an NXDOMAIN is an answer. */
function trouble(edge: EdgeRow, inFewWords: boolean): string {
  const failures = Object.entries(edge.rcodes).filter(([rcode]) => rcode !== 'NOERROR' && rcode !== 'NXDOMAIN')
  if (edge.unanswered) failures.unshift(['unanswered', edge.unanswered])
  const sum = failures.reduce((total, [, times]) => total + times, 0)
  if (sum === 0) return ''
  const words = inFewWords
    ? `${count(sum)} failed`
    : failures.map(([what, times]) => `${count(times)} ${what}`).join(', ')
  return `${words} (${share(sum, edge.count)})`
}

/** "p50 0.25 ms  p99 24 ms" of an edge, or the second alone. */
function times({ wait: { p50, p99 } }: EdgeRow, which: Detail['times']): string {
  if (p50 === null || which === 'none') return ''
  const most = `p99 ${roughDuration(p99)}`
  return which === 'both' ? `p50 ${roughDuration(p50)}  ${most}` : most
}

interface Detail {
  servers: number
  inFewWords: boolean
  times: 'both' | 'p99' | 'none'
}

/** Says less until it fits: first in fewer words what failed, then fewer addresses, then fewer times. */
const DETAIL: readonly Detail[] = [
  { servers: 3, inFewWords: false, times: 'both' },
  { servers: 3, inFewWords: true, times: 'both' },
  { servers: 2, inFewWords: true, times: 'both' },
  { servers: 1, inFewWords: true, times: 'both' },
  { servers: 2, inFewWords: true, times: 'p99' },
  { servers: 1, inFewWords: true, times: 'p99' },
  { servers: 1, inFewWords: true, times: 'none' },
]

/** Room for the word. */
const QUERIES = ' queries'.length

/** The lines with their counts below each other, close to what they count. */
function fitted(lines: Line[], report: Report, page: Page): string[] {
  const room = page.width - LABEL
  const digits = Math.max(...lines.map(({ edge }) => (edge === null ? 0 : count(edge.count).length)))
  for (const [i, detail] of DETAIL.entries()) {
    const right = ({ edge }: Line) => {
      if (edge === null) return ''
      const queries = `${count(edge.count).padStart(digits)} ${edge.count === 1 ? 'query' : 'queries'}`
      return `${queries.padEnd(digits + QUERIES)}  ${times(edge, detail.times)}`.trimEnd()
    }
    const rightWidth = Math.max(...lines.map(line => right(line).length))
    const cells = lines.map(line => ({
      line,
      left: escapeText(line.edge === null ? line.left : line.left + servers(report, line.edge, detail.servers)),
      trouble: line.edge === null ? '' : escapeText(trouble(line.edge, detail.inFewWords)),
    }))
    const branches = cells.filter(cell => cell.line.edge !== null)
    const tail = Math.max(...branches.map(cell => cell.trouble.length))
    const most = room - 2 - rightWidth - (tail > 0 ? 2 + tail : 0)
    const wanted = Math.max(...branches.map(cell => cell.left.length))
    if (wanted > most && i < DETAIL.length - 1) continue
    const width = Math.min(wanted, most)
    return cells.map(({ line, left, trouble }) => {
      if (line.edge === null) return shorten(left, room, 'start')
      const start = `${shorten(left, width, 'head').padEnd(width)}  ${right(line)}`
      return trouble === '' ? start : `${start.padEnd(width + 2 + rightWidth)}  ${page.paint.bad(trouble)}`
    })
  }
  return []
}
