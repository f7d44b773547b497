/** Who is who: the servers and why they are taken for that, since without hints every role is inferred. */
import type { Column } from '../columns.ts'
import type { EndpointRow, Report } from '../report-types.ts'
import { tableLines } from '../table.ts'
import { ROLE_WORDS } from '../words.ts'
import type { Page } from './page.ts'

const MOST_ROWS = 8

const COLUMNS: readonly Column<EndpointRow>[] = [
  { key: 'address', title: 'Servers', value: e => e.address, text: e => `  ${e.address}` },
  { key: 'role', title: 'role', value: e => e.role, text: e => ROLE_WORDS[e.role] },
  { key: 'name', title: 'name', value: e => e.name, keep: 'head' },
  { key: 'evidence', title: 'because', value: e => e.evidence.join('; ') || null, keep: 'start' },
]

export function servers({ endpoints }: Report, page: Page): string[] {
  const rows = endpoints.filter(endpoint => endpoint.served > 0).sort((a, b) => b.served - a.served)
  if (rows.length === 0) return []
  const columns = COLUMNS.filter(({ key }) => (key === 'name' ? rows.some(row => row.name !== null) : true))
  const lines = tableLines(
    columns,
    rows.slice(0, MOST_ROWS).map(row => ({ row })),
    page.width,
    page.paint,
  )
  return rows.length > MOST_ROWS ? [...lines, `  and ${rows.length - MOST_ROWS} more`] : lines
}
