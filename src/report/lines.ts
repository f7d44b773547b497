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
 * With a `width` (a terminal) columns leave and names are shortened until a line fits; where not even those fit that never leave, a record
 * takes two lines. Without (a pipe, a file) nothing is ever shortened or folded, so that grep finds the whole name.
 */
export function lineFormat<Row>(columns: readonly Column<Row>[], width: number | null, paint: Paint): LineFormat<Row> {
  const lines = fold(columns, width)
  const text = (
    cell: (column: Column<Row>, size: number) => string,
    color: (column: Column<Row>, isSecond: boolean) => keyof Paint | null,
  ) => lines.map((line, i) => lineText(line, cell, column => color(column, i > 0), paint)).join('\n')
  return {
    head: text(
      (column, size) => shorten(column.title, size, 'start'),
      () => 'head',
    ),
    line: row =>
      text(
        (column, size) => {
          const full = cellText(column, row)
          return width === null ? full : shorten(full, size, column.keep ?? 'start')
        },
        (column, isSecond) => column.color?.(row) ?? (isSecond ? 'faint' : null),
      ),
  }
}

interface Line<Row> extends Layout<Row> {
  indent: number
}

function lineText<Row>(
  { shown, widths, indent }: Line<Row>,
  cell: (column: Column<Row>, size: number) => string,
  color: (column: Column<Row>) => keyof Paint | null,
  paint: Paint,
): string {
  let text = ' '.repeat(indent)
  for (let i = 0; i < shown.length; i++) {
    const column = shown[i]!
    const size = widths[i]!
    const plain = cell(column, size)
    const padded = column.align === 'right' ? plain.padStart(size) : i === shown.length - 1 ? plain : plain.padEnd(size)
    const name = color(column)
    text += (i === 0 ? '' : ' '.repeat(GAP)) + (name === null ? padded : paint[name](padded))
  }
  return text.trimEnd()
}

const declared = <Row>(column: Column<Row>): number => Math.max(column.width!, column.title.length)

/** The lines of a record: one, or two where one is too narrow. The second is indented, so that what a record begins with sticks out. */
function fold<Row>(columns: readonly Column<Row>[], width: number | null): Line<Row>[] {
  const inText = columns.filter(column => column.width !== undefined)
  if (width === null) return [{ shown: inText, widths: inText.map(declared), indent: 0 }]
  const staying = inText.filter(column => column.drop === undefined)
  const least = staying.reduce((sum, column) => sum + GAP + Math.min(declared(column), column.least ?? Infinity), -GAP)
  if (least <= width || !inText.some(column => column.second)) return [fitted(inText, width)]
  const first = fitted(
    inText.filter(column => !column.second),
    width,
  )
  const indent = first.widths[0]! + GAP
  const second = inText.filter(column => column.second)
  return [first, { ...layout(second, declared, width - indent), indent }]
}

/** The declared widths, fitted to the screen; what a wide screen has to spare goes to the widest name. */
function fitted<Row>(columns: readonly Column<Row>[], width: number): Line<Row> {
  const { shown, widths } = layout(columns, declared, width)
  const spare = width - widths.reduce((sum, size) => sum + size, 0) - GAP * (shown.length - 1)
  const widest = shown.reduce((best, column, i) => (column.keep && widths[i]! > (widths[best] ?? 0) ? i : best), -1)
  if (spare > 0 && widest >= 0) widths[widest]! += spare
  return { shown, widths, indent: 0 }
}
