/** The slowest lookups: what was asked, by whom, how it ended, and the frame to open. */
import { basename } from 'node:path'
import { type Column, select } from '../columns.ts'
import { LOOKUP_COLUMNS } from '../lookup-columns.ts'
import type { LookupRecord } from '../record-types.ts'
import type { Report } from '../report-types.ts'
import { tableLines } from '../table.ts'
import { note, type Page } from './page.ts'

const MOST_ROWS = 5

export function slowest(report: Report, page: Page): string[] {
  const lookups = report.slowest.filter(lookup => lookup.waitMs !== null).slice(0, MOST_ROWS)
  if (lookups.length === 0) return []
  const [name, ...others] = select(LOOKUP_COLUMNS, ['name', 'waitMs', 'outcome', 'queries', 'client', 'frame', 'id'])
  const columns = [
    { ...name!, title: 'Slowest lookups', least: 24 },
    ...others.map(column => (column.key === 'client' ? { ...column, least: 16 } : column)),
    ...(report.captures.length > 1 ? [FILE] : []),
  ]
  const notes = [
    lookups.some(lookup => lookup.waitInferred)
      ? '* with the time that the resolver waited for an answer that never came'
      : '',
    lookups.some(lookup => !lookup.nameCertain) ? '? the packets do not tell for certain what was asked' : '',
  ].filter(Boolean)
  return [
    ...tableLines(
      columns,
      lookups.map(row => ({ row })),
      page.width,
      page.paint,
    ),
    ...notes.flatMap(text => note(text, page)),
  ]
}

/** Only where there are several. */
const FILE: Column<LookupRecord> = {
  key: 'file',
  title: 'of file',
  value: ({ frames }) => frames[0]?.file ?? null,
  text: ({ frames }) => basename(frames[0]?.file ?? ''),
  keep: 'start',
  least: 8,
}
