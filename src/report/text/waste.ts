/** By whom the waste is: the worst pods, names and search domains. */
import { bytes, count, plural, roughDuration, share } from '../../quantities.ts'
import type { Column } from '../columns.ts'
import type { EndpointRecord } from '../record-types.ts'
import type { Report, WasteRow } from '../report-types.ts'
import { type TableRow, tableLines } from '../table.ts'
import { who } from '../words.ts'
import type { Page } from './page.ts'

const MOST_ROWS = 3

const COLUMNS: readonly Column<WasteRow>[] = [
  { key: 'key', title: 'Waste', value: w => w.key, text: w => `  ${w.key}`, keep: 'tail', least: 26 },
  { key: 'lookups', title: 'lookups', value: w => w.lookups, text: w => count(w.lookups), align: 'right', drop: 1 },
  { key: 'queries', title: 'queries', value: w => w.queries, text: w => count(w.queries), align: 'right' },
  { key: 'wasted', title: 'wasted', value: w => w.wasted, text: w => count(w.wasted), align: 'right' },
  { key: 'share', title: '', value: w => w.wasted / w.queries, text: w => share(w.wasted, w.queries), align: 'right' },
  { key: 'nxdomain', title: 'NXDOMAIN', value: w => w.nxdomain, text: w => count(w.nxdomain), align: 'right' },
  { key: 'bytes', title: 'bytes', value: w => w.bytes, text: w => bytes(w.bytes), align: 'right' },
  { key: 'waitMs', title: 'waited', value: w => w.waitMs, text: w => roughDuration(w.waitMs), align: 'right' },
  // Half of "answered 0 of 53" says the opposite: it goes before it is cut.
  { key: 'note', title: '', value: w => w.note, keep: 'head', least: 60, drop: 2 },
]

interface Wasteful {
  waste: Report['waste']
  endpoints: readonly EndpointRecord[]
}

/** `most` rows of each of the first `lists` lists. */
export function wasteTable({ waste, endpoints }: Wasteful, page: Page, most = MOST_ROWS, lists = 3): string[] {
  const lacks = waste.mayLack ?? {}
  const all: [title: string, list: WasteRow[], lack: number | undefined][] = [
    ['by client', waste.byClient, lacks.byClient],
    ['by name', waste.byName, lacks.byName],
    ['by search domain', waste.bySuffix, lacks.bySuffix],
  ]
  const rows: TableRow<WasteRow>[] = []
  for (const [title, list, lack] of all.slice(0, lists)) {
    const worst = list.filter(row => row.wasted > 0)
    if (worst.length === 0) continue
    const more = worst.length > most ? ` (${most} of ${count(worst.length)})` : ''
    const error = lack === undefined ? '' : `, each with up to ${plural(lack, 'query', 'queries')} more`
    rows.push({ group: title + more + error })
    for (const row of worst.slice(0, most)) rows.push({ row: list === waste.byClient ? named(row, endpoints) : row })
  }
  if (rows.length === 0) return []
  const mayBeUnknown = ['note', 'bytes', 'nxdomain', 'waitMs'] as const
  const unknown = mayBeUnknown.filter(key => rows.every(row => !('row' in row) || row.row[key] === null))
  const columns = COLUMNS.filter(({ key }) => !unknown.some(column => column === key))
  return tableLines(columns, rows, page.width, page.paint)
}

/** A client by the name of its pod, or by the name that it has otherwise, with the address beside it. */
export function named(row: WasteRow, endpoints: readonly (EndpointRecord & { name?: string | null })[]): WasteRow {
  const pod = endpoints.find(endpoint => endpoint.address === row.key && endpoint.pod !== null)
  if (pod !== undefined) return { ...row, key: who(pod), note: row.key }
  const name = endpoints.find(endpoint => endpoint.address === row.key)?.name
  return name ? { ...row, key: name, note: row.key } : row
}
