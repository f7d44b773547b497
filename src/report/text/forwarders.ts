/** The cluster's own servers: how the queries spread over them, and what their caches spared. */
import type { Role } from '../../model.ts'
import { count, milliseconds, share } from '../../quantities.ts'
import type { Column } from '../columns.ts'
import type { Report, ServerRow } from '../report-types.ts'
import { tableLines } from '../table.ts'
import { ROLE_WORDS, serverName } from '../words.ts'
import { note, type Page } from './page.ts'

const MOST_ROWS = 8
const CACHES: readonly Role[] = ['host-resolver', 'node-local-cache', 'coredns']

const COLUMNS: readonly Column<ServerRow>[] = [
  {
    key: 'server',
    title: 'Caches',
    value: s => s.server,
    text: s => `  ${ROLE_WORDS[s.role]} ${serverName(s)}`,
    keep: 'head',
    least: 28,
  },
  { key: 'count', title: 'queries', value: s => s.count, text: s => count(s.count), align: 'right' },
  { key: 'share', title: 'share', value: s => s.share, text: s => share(s.share, 1), align: 'right', drop: 2 },
  {
    key: 'own',
    title: 'own p50 (ms)',
    value: s => s.own.p50,
    text: s => milliseconds(s.own.p50),
    align: 'right',
    drop: 3,
  },
  { key: 'cached', title: 'cached', value: s => s.cacheHits, text: s => share(s.cacheHits, known(s)), align: 'right' },
  {
    key: 'found',
    title: 'of found',
    value: s => s.cache?.positive.hits ?? null,
    text: s => (s.cache ? share(s.cache.positive.hits, s.cache.positive.answers) : ''),
    align: 'right',
  },
  {
    key: 'notFound',
    title: 'of not found',
    value: s => s.cache?.negative.hits ?? null,
    text: s => (s.cache ? share(s.cache.negative.hits, s.cache.negative.answers) : ''),
    align: 'right',
    drop: 1,
  },
]

const known = ({ cache }: ServerRow): number => (cache ? cache.positive.answers + cache.negative.answers : 0)

/** Nothing where neither a cache can be seen at work nor several servers share the queries. */
export function forwarders({ servers }: Report, page: Page): string[] {
  const rows = servers.filter(({ role }) => CACHES.includes(role))
  const shared = rows.some(row => row.share > 0 && row.share < 1)
  const hasCaches = rows.some(row => row.cache)
  if (!hasCaches && !shared) return []
  // Queries alone tell nothing but how they spread.
  const answers = hasCaches || rows.some(row => row.unanswered !== null)
  const has: Record<string, boolean> = {
    share: shared,
    own: answers,
    cached: answers,
    found: answers,
    notFound: answers,
  }
  const columns = COLUMNS.filter(({ key }) => has[key] ?? true)
  const lines = tableLines(
    columns,
    rows.slice(0, MOST_ROWS).map(row => ({ row })),
    page.width,
    page.paint,
  )
  if (rows.length > MOST_ROWS) lines.push(`  and ${rows.length - MOST_ROWS} more`)
  return !answers ? lines : [...lines, ...note('found: answers that hold what was asked; not found: all others', page)]
}
