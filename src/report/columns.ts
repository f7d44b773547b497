/**
 * A column is declared once: text tables, text lines and CSV derive from it (json and ndjson print the records themselves).
 * Adding a column is one row in the list of its record.
 */
import { escapeText } from './escape.ts'
import type { Paint } from './paint.ts'
import type { Keep } from './shorten.ts'

export type Value = string | number | boolean | null

export interface Column<Row> {
  /** Head of the CSV column; stable. */
  key: string
  /** Head of the text column. */
  title: string
  value: (row: Row) => Value
  /** How people read it; without, the value as it is. */
  text?: (row: Row) => string
  align?: 'left' | 'right'
  /** Width in lines of text, where no table can be measured; a column without stands in CSV only. */
  width?: number
  /** May be shortened when the screen is narrow, and how. */
  keep?: Keep
  /** Not shortened below this while another column can leave. */
  least?: number
  /** Leaves a text that is too wide, the highest number first; never without. */
  drop?: number
  /** Of a record that does not fit on one line, it stands on the second one. */
  second?: boolean
  color?: (row: Row) => keyof Paint | null
}

/** The cell as people read it, safe for a terminal; empty where unknown. */
export function cellText<Row>(column: Column<Row>, row: Row): string {
  if (column.text) return escapeText(column.text(row))
  const value = column.value(row)
  return value === null ? '' : typeof value === 'string' ? escapeText(value) : String(value)
}

/** The columns with these keys, in this order. */
export function select<Row>(columns: readonly Column<Row>[], keys: readonly string[]): Column<Row>[] {
  return keys.map(key => {
    const column = columns.find(column => column.key === key)
    if (!column) throw new Error(`no column ${key}`)
    return column
  })
}
