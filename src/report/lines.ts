/** Records as lines of text with fixed columns: a stream cannot measure the rows that are still to come. */
import { type Column, cellText } from './columns.ts'
import type { Paint } from './paint.ts'
import { shorten } from './shorten.ts'

const GAP = '  '

export interface LineFormat<Row> {
  head: string
  line: (row: Row) => string
}

/**
 * With a `width` (a terminal) columns leave and names are shortened until a line fits; without (a pipe, a file) nothing is ever
 * shortened, so that grep finds the whole name.
 */
export function lineFormat<Row>(columns: readonly Column<Row>[], width: number | null, paint: Paint): LineFormat<Row> {
  let shown = columns.filter(column => column.width !== undefined)
  const widths = new Map(shown.map(column => [column, Math.max(column.width!, column.title.length)]))
  if (width !== null) shown = layout(shown, widths, width)

  const pad = (column: Column<Row>, text: string, last: boolean) => {
    const size = widths.get(column)!
    if (column.align === 'right') return text.padStart(size)
    return last ? text : text.padEnd(size)
  }
  const join = (cells: string[]) => cells.join(GAP).trimEnd()
  const lastIndex = shown.length - 1
  return {
    head: join(shown.map((column, i) => paint.head(pad(column, column.title, i === lastIndex)))),
    line: row =>
      join(
        shown.map((column, i) => {
          let text = cellText(column, row)
          if (width !== null) text = shorten(text, widths.get(column)!, column.keep ?? 'head')
          text = pad(column, text, i === lastIndex)
          const color = column.color?.(row)
          return color ? paint[color](text) : text
        }),
      ),
  }
}

/** Drops and narrows columns (in `widths`) until they fit; a wider screen widens the names again. */
function layout<Row>(columns: Column<Row>[], widths: Map<Column<Row>, number>, width: number): Column<Row>[] {
  const MINIMUM = 14
  const total = (list: Column<Row>[], size: (column: Column<Row>) => number) =>
    list.reduce((sum, column) => sum + size(column), 0) + GAP.length * (list.length - 1)
  const least = (column: Column<Row>) => (column.keep ? Math.min(MINIMUM, widths.get(column)!) : widths.get(column)!)

  let shown = columns
  while (total(shown, least) > width) {
    const leaving = shown.reduce((a, b) => ((b.drop ?? 0) > (a.drop ?? 0) ? b : a))
    if (leaving.drop === undefined) break
    shown = shown.filter(column => column !== leaving)
  }
  const elastic = shown.filter(column => column.keep)
  const wanted = elastic.reduce((sum, column) => sum + widths.get(column)! - least(column), 0)
  const spare = Math.max(0, width - total(shown, least))
  for (const column of elastic) {
    const floor = least(column)
    widths.set(column, floor + Math.floor((spare * (widths.get(column)! - floor)) / Math.max(1, wanted)))
  }
  return shown
}
