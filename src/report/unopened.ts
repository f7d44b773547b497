/** TCP connections with DNS servers that could not be opened become rows of the report. */
import type { Unopened } from '../trace/unopened.ts'
import type { RecordContext } from './records.ts'
import type { UnopenedRow } from './report-types.ts'

/** Rows of the report: the rest is in no table that anybody reads. */
export const MOST_UNOPENED = 20

export const unopenedRows = ({ list }: Unopened, { tables, files }: RecordContext): UnopenedRow[] =>
  [...list]
    .sort((a, b) => b.refused + b.silent - a.refused - a.silent)
    .slice(0, MOST_UNOPENED)
    .map(({ client, server, refused, silent, frames: [file, frame] }) => ({
      client: tables.addresses.text(client),
      server: tables.addresses.text(server),
      refused,
      silent,
      frame: { file: files[file], number: frame },
    }))
