/** What would be, for people: the sums before and after, the workloads, the names that break, and what to paste. */
import { bytes, count, plural, roughDuration } from '../../quantities.ts'
import type { Column } from '../columns.ts'
import { select } from '../columns.ts'
import { escapeText } from '../escape.ts'
import { tableLines } from '../table.ts'
import { filterLine } from '../text/filter-line.ts'
import { labelled, note, type Page, pageOf, pageText, textWidth, wrap } from '../text/page.ts'
import { changeShare, WHAT_IF_COLUMNS } from './columns.ts'
import type { LoadRow, NameEffect, WhatIf, WorkloadEffect } from './types.ts'

const MOST_WORKLOADS = 12
const MOST_NAMES = 10

export function whatIfText(whatIf: WhatIf, options: { width: number; color: boolean }): string {
  const page = pageOf(options)
  return pageText([
    head(whatIf, page),
    sums(whatIf, page),
    workloads(whatIf, page),
    names('Would stop resolving', 'bad', whatIf.stops, page),
    names('Would resolve', 'good', whatIf.starts, page),
    names('Another name would answer', 'warn', whatIf.otherAnswers, page),
    doubts(whatIf, page),
    todo(whatIf, page),
  ])
}

function head({ what, captures, filters, before, workloads, stops }: WhatIf, page: Page): string[] {
  const breaks =
    before.lookups === 0
      ? []
      : [
          stops.length === 0
            ? 'nothing in this capture would stop resolving'
            : `${plural(new Set(stops.map(({ name }) => name)).size, 'name')} would stop resolving`,
        ]
  const clients = workloads.reduce((sum, workload) => sum + workload.clients, 0)
  return [
    ...labelled('What if', [what, ...breaks], page),
    ...labelled(
      'Capture',
      [captures.join(', '), `${plural(before.lookups, 'lookup')} by ${plural(clients, 'client')}`],
      page,
    ),
    ...filterLine(filters, before.lookups, page),
  ]
}

interface SumRow {
  what: string
  before: number | null
  after: number | null
  text: (value: number | null) => string
}

const SUMS: readonly (Omit<SumRow, 'before' | 'after'> & { field: keyof LoadRow })[] = [
  { what: 'queries by clients', field: 'queries', text: count },
  { what: 'bytes', field: 'bytes', text: bytes },
  { what: 'waiting', field: 'waitMs', text: roughDuration },
  { what: 'queries at CoreDNS', field: 'coredns', text: count },
  { what: 'queries at the upstream', field: 'upstream', text: count },
  { what: 'failed lookups', field: 'failed', text: count },
]

const SUM_COLUMNS: readonly Column<SumRow>[] = [
  { key: 'what', title: 'All lookups', value: row => row.what, text: row => `  ${row.what}` },
  { key: 'before', title: 'now', value: row => row.before, text: row => row.text(row.before), align: 'right' },
  { key: 'after', title: 'then', value: row => row.after, text: row => row.text(row.after), align: 'right' },
  {
    key: 'change',
    title: '',
    value: row => row.after,
    text: row => changeShare(row.before, row.after),
    align: 'right',
  },
  {
    key: 'each',
    title: 'per lookup',
    value: row => row.after,
    text: () => '',
    align: 'right',
  },
]

function sums({ before, after }: WhatIf, page: Page): string[] {
  if (before.lookups === 0) return []
  const rows = SUMS.map(({ what, field, text }) => ({ what, before: before[field], after: after[field], text }))
  const known = rows.filter(row => (row.before ?? 0) + (row.after ?? 0) > 0)
  const perLookup: Column<SumRow> = {
    ...(SUM_COLUMNS.at(-1) as Column<SumRow>),
    text: ({ before: b, after: a, what }) =>
      what.startsWith('queries') && b !== null && a !== null
        ? `${(b / before.lookups).toFixed(2)} -> ${(a / before.lookups).toFixed(2)}`
        : '',
  }
  return tableLines(
    [...SUM_COLUMNS.slice(0, -1), perLookup],
    known.map(row => ({ row })),
    page.width,
    page.paint,
  )
}

/** Now and then in one cell, so that they leave a narrow screen together. */
const pair = (
  field: 'queries' | 'waitMs' | 'coredns' | 'upstream' | 'failed',
  title: string,
  text: (value: number | null) => string,
  drop?: number,
): Column<WorkloadEffect> => ({
  key: field,
  title,
  value: ({ after }) => after[field],
  text: ({ before, after }) => (before[field] === null ? '' : `${text(before[field])} -> ${text(after[field])}`),
  align: 'right',
  ...(drop === undefined ? {} : { drop }),
})

const WORKLOAD_COLUMNS: readonly Column<WorkloadEffect>[] = [
  ...select(WHAT_IF_COLUMNS, ['workload', 'resolvers', 'lookups']),
  pair('queries', 'queries', count),
  ...select(WHAT_IF_COLUMNS, ['saved']),
  pair('waitMs', 'waited', roughDuration),
  pair('coredns', 'CoreDNS', count, 1),
  pair('upstream', 'upstream', count, 2),
  pair('failed', 'failed', count, 6),
]

function workloads({ workloads }: WhatIf, page: Page): string[] {
  if (workloads.length === 0) return []
  const shown = workloads.slice(0, MOST_WORKLOADS)
  const says: Record<string, (row: WorkloadEffect) => boolean> = {
    resolvers: row => row.resolvers.length > 0,
    coredns: row => (row.before.coredns ?? 0) + (row.after.coredns ?? 0) > 0,
    upstream: row => (row.before.upstream ?? 0) + (row.after.upstream ?? 0) > 0,
    failed: row => row.before.failed + row.after.failed > 0,
  }
  const columns = WORKLOAD_COLUMNS.filter(({ key }) => says[key] === undefined || shown.some(says[key]))
  const lines = tableLines(
    columns,
    shown.map(row => ({ row })),
    page.width,
    page.paint,
  )
  const more = workloads.length - shown.length
  return more > 0 ? [...lines, ...note(`and ${more} more: -o json or -o csv`, page)] : lines
}

function names(title: string, color: 'good' | 'warn' | 'bad', rows: readonly NameEffect[], page: Page): string[] {
  if (rows.length === 0) return []
  const lines = [page.paint[color](title)]
  for (const { name, resolver, lookups, workloads, because } of rows.slice(0, MOST_NAMES)) {
    const who =
      workloads.length > 3
        ? `${workloads.slice(0, 2).join(', ')} and ${workloads.length - 2} more`
        : workloads.join(', ')
    lines.push(`  ${escapeText(name)}`)
    lines.push(
      ...indented(
        `${plural(lookups, 'lookup')} by ${who}${resolver === null ? '' : ` (${resolver})`}: ${because}`,
        page,
      ),
    )
  }
  if (rows.length > MOST_NAMES) lines.push(...note(`and ${rows.length - MOST_NAMES} more: -o json`, page))
  return lines
}

const indented = (text: string, page: Page): string[] => wrap(text, textWidth(page) - 4).map(line => `    ${line}`)

function doubts({ unknown }: WhatIf, page: Page): string[] {
  if (unknown.length === 0) return []
  return [
    page.paint.head('What this capture cannot tell'),
    ...unknown.flatMap(sentence => wrap(sentence, textWidth(page) - 2, '  ').map(line => `  ${line}`)),
  ]
}

function todo({ advice, patch, corefile }: WhatIf, page: Page): string[] {
  const lines = [
    ...advice.flatMap(sentence => wrap(sentence, textWidth(page) - 2).map(line => `  ${line}`)),
    // Not wrapped: it is to be pasted.
    ...[patch, corefile].flatMap(text => (text === null ? [] : text.split('\n').map(line => `  ${escapeText(line)}`))),
  ]
  return lines.length === 0 ? [] : [page.paint.head('To change it'), ...lines]
}
