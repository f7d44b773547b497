/** How a stream of records is written: what stands before them, each of them, and what stands after. All pure. */
import type { Column } from './columns.ts'
import { csvHead, csvRow } from './csv.ts'
import { jsonLine } from './json.ts'
import { lineFormat } from './lines.ts'
import type { Output } from './output.ts'
import { paint } from './paint.ts'

export interface RecordsFormat<Row> {
  before: string
  /** `index` counts the records from 0. */
  record: (row: Row, index: number) => string
  after: (records: number) => string
}

/** `screen.width` is null where nothing limits a line: a pipe or a file. */
export function recordsFormat<Row>(
  output: Output,
  columns: readonly Column<Row>[],
  screen: { width: number | null; color: boolean },
): RecordsFormat<Row> {
  switch (output) {
    case 'text': {
      const { head, line } = lineFormat(columns, screen.width, paint(screen.color))
      return { before: `${head}\n`, record: row => `${line(row)}\n`, after: () => '' }
    }
    case 'csv':
      return { before: csvHead(columns), record: row => csvRow(columns, row), after: () => '' }
    case 'ndjson':
      return { before: '', record: row => `${jsonLine(row)}\n`, after: () => '' }
    case 'json':
      return {
        before: '[',
        record: (row, index) => `${index === 0 ? '\n' : ',\n'}${jsonLine(row)}`,
        after: records => (records === 0 ? ']\n' : '\n]\n'),
      }
  }
}
