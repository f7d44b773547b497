/** Which command shows more. */
import type { Report } from '../report-types.ts'
import { quoted } from '../words.ts'
import { labelled, type Page } from './page.ts'

export function more({ captures, totals, findings, slowest }: Report, page: Page): string[] {
  if (totals.messages === 0) return []
  const [capture] = captures
  const file = captures.length === 1 && capture!.file !== '-' ? quoted(capture!.file) : 'CAPTURE...'
  return labelled(
    'More',
    [
      ...(findings.length > 0 ? [`dnstrail explain ${findings[0]!.code}   (why, what to do, how we know)`] : []),
      ...(totals.lookups > 0 ? [`dnstrail lookups ${file}   (every lookup)`] : []),
      ...(slowest.length > 0 ? [`dnstrail show ${file} ${slowest[0]!.id}   (one of them, hop by hop)`] : []),
      `dnstrail hops ${file}   (every query, server by server)`,
      'with evidence and all rows: -o json',
    ],
    page,
  )
}
