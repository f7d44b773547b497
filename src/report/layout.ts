/** Which columns fit on the screen, and how wide each of them may be. */
import type { Column } from './columns.ts'

/** Blanks between two columns. */
export const GAP = 2
/** Below this many characters a shortened name tells nothing. */
const LEAST = 12
const VERY_LEAST = 6

export interface Layout<Row> {
  shown: Column<Row>[]
  /** Widths of the shown columns. */
  widths: number[]
}

/** `full` is how wide a column wants to be. First names are shortened, then columns leave, and at last names are shortened to a stump. */
export function layout<Row>(
  columns: readonly Column<Row>[],
  full: (column: Column<Row>) => number,
  width: number,
): Layout<Row> {
  let shown = [...columns]
  for (;;) {
    const widths = shown.map(full)
    let excess = widths.reduce((sum, size) => sum + size, 0) + GAP * (shown.length - 1) - width
    excess = shrink(shown, widths, excess, column => column.least ?? LEAST)
    if (excess <= 0) return { shown, widths }
    const leaving = shown.reduce((a, b) => ((b.drop ?? 0) > (a.drop ?? 0) ? b : a))
    if (leaving.drop === undefined) {
      shrink(shown, widths, excess, () => VERY_LEAST)
      return { shown, widths }
    }
    shown = shown.filter(column => column !== leaving)
  }
}

/** The widest column gives first, so that no short name suffers for a long one. Gives what is still too much. */
function shrink<Row>(
  shown: Column<Row>[],
  widths: number[],
  excess: number,
  least: (column: Column<Row>) => number,
): number {
  for (; excess > 0; excess--) {
    let widest = -1
    shown.forEach((column, i) => {
      if (column.keep && widths[i]! > least(column) && (widest < 0 || widths[i]! > widths[widest]!)) widest = i
    })
    if (widest < 0) break
    widths[widest]!--
  }
  return excess
}
