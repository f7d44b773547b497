/** A table for the terminal, borderless like that of kubectl or ss, never wider than the screen. Drawn by cli-table3. */
import CliTable from 'cli-table3'
import { type Column, cellText } from './columns.ts'
import { GAP, layout } from './layout.ts'
import type { Paint } from './paint.ts'
import { shorten } from './shorten.ts'

/** A row of the table, or a line of its own that names the rows below it. */
export type TableRow<Row> = { row: Row } | { group: string }

const NO_BORDERS = Object.fromEntries(
  'top top-mid top-left top-right bottom bottom-mid bottom-left bottom-right left left-mid mid mid-mid right right-mid'
    .split(' ')
    .map(name => [name, '']),
)

/** The lines of the table. */
export function tableLines<Row>(
  columns: readonly Column<Row>[],
  rows: readonly TableRow<Row>[],
  width: number,
  paint: Paint,
): string[] {
  const plain = rows.map(row => ('row' in row ? new Map(columns.map(c => [c, cellText(c, row.row)])) : null))
  const full = new Map(
    columns.map(c => [c, Math.max(c.title.length, ...plain.map(cells => cells?.get(c)?.length ?? 0))]),
  )
  const { shown, widths } = layout(columns, column => full.get(column)!, width)

  const table = new CliTable({
    chars: { ...NO_BORDERS, middle: ' '.repeat(GAP) },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
    colWidths: widths,
    colAligns: shown.map(column => column.align ?? 'left'),
    head: shown.map((column, i) => paint.head(shorten(column.title, widths[i]!, 'head'))),
  })
  rows.forEach((row, index) => {
    if ('group' in row) {
      const content = paint.faint(shorten(row.group, width, 'head'))
      table.push([{ content, colSpan: shown.length }])
      return
    }
    table.push(
      shown.map((column, i) => {
        const text = shorten(plain[index]!.get(column)!, widths[i]!, column.keep ?? 'head')
        const color = column.color?.(row.row)
        return color ? paint[color](text) : text
      }),
    )
  })
  return table
    .toString()
    .split('\n')
    .map(line => line.trimEnd())
}
