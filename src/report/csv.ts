/** CSV as RFC 4180 has it: comma, CRLF, quotes doubled. https://www.rfc-editor.org/rfc/rfc4180 */
import type { Column, Value } from './columns.ts'
import { escapeText } from './escape.ts'

/** A spreadsheet runs a cell that starts so as a formula; names on the wire are chosen by strangers. */
const FORMULA = /^[=+\-@\t\r]/
const SPECIAL = /[",\r\n]/

export function csvHead<Row>(columns: readonly Column<Row>[]): string {
  return `${columns.map(column => column.key).join(',')}\r\n`
}

export function csvRow<Row>(columns: readonly Column<Row>[], row: Row): string {
  let line = ''
  for (let i = 0; i < columns.length; i++) line += (i === 0 ? '' : ',') + cell(columns[i]!.value(row))
  return `${line}\r\n`
}

function cell(value: Value): string {
  if (value === null) return ''
  if (typeof value !== 'string') return String(value)
  // An apostrophe makes it text for every spreadsheet.
  const text = escapeText(FORMULA.test(value) ? `'${value}` : value)
  return SPECIAL.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
