/** Records as lines of text with fixed columns: a stream cannot measure the rows that are still to come. */
import { type Column, cellText } from './columns.ts'
import { GAP, type Layout, layout } from './layout.ts'
import type { Paint } from './paint.ts'
import { shorten } from './shorten.ts'

export interface LineFormat<Row> {
  head: string
  line: (row: Row) => string
}

/**
 * With a `width` (a terminal) columns leave and names are shortened until a line fits; without (a pipe, a file) nothing is ever
 * shortened, so that grep finds the whole name.
 */
export function lineFormat<Row>(columns: readonly Column<Row>[], width: number | null, paint: Paint): LineFormat<Row> {
  const { shown, widths } = fixed(columns, width)
  const line = (
    cell: (column: Column<Row>, size: number) => string,
    color: (column: Column<Row>) => keyof Paint | null,
  ) => {
    let text = ''
    for (let i = 0; i < shown.length; i++) {
      const column = shown[i]!
      const size = widths[i]!
      const plain = cell(column, size)
      const padded =
        column.align === 'right' ? plain.padStart(size) : i === shown.length - 1 ? plain : plain.padEnd(size)
      const name = color(column)
      text += (i === 0 ? '' : ' '.repeat(GAP)) + (name === null ? padded : paint[name](padded))
    }
    return text.trimEnd()
  }
  return {
    head: line(
      (column, size) => shorten(column.title, size, 'start'),
      () => 'head',
    ),
    line: row =>
      line(
        (column, size) => {
          const text = cellText(column, row)
          return width === null ? text : shorten(text, size, column.keep ?? 'start')
        },
        column => column.color?.(row) ?? null,
      ),
  }
}

/** The declared widths, fitted to the screen; what a wide screen has to spare goes to the widest name. */
function fixed<Row>(columns: readonly Column<Row>[], width: number | null): Layout<Row> {
  const declared = (column: Column<Row>) => Math.max(column.width!, column.title.length)
  const inText = columns.filter(column => column.width !== undefined)
  if (width === null) return { shown: inText, widths: inText.map(declared) }
  const fitted = layout(inText, declared, width)
  const { shown, widths } = fitted
  const spare = width - widths.reduce((sum, size) => sum + size, 0) - GAP * (shown.length - 1)
  const widest = shown.reduce((best, column, i) => (column.keep && widths[i]! > (widths[best] ?? 0) ? i : best), -1)
  if (spare > 0 && widest >= 0) widths[widest]! += spare
  return fitted
}
