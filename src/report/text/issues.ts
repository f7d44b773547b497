/** Issues: what is wrong with the capture, in sentences with their first frame. */
import { plural } from '../../quantities.ts'
import type { Report } from '../report-types.ts'
import { type Page, textWidth, wrap } from './page.ts'

export function issues({ issues, captures }: Report, page: Page): string[] {
  if (issues.length === 0) return []
  const lines = [page.paint.head('Issues')]
  for (const issue of issues) {
    const several = captures.length > 1
    const frame = issue.firstFrame === null ? '' : `${issue.count > 1 ? 'first ' : ''}in frame ${issue.firstFrame}`
    const where = [frame, several ? `${frame === '' ? 'in' : 'of'} ${issue.file}` : ''].filter(Boolean).join(' ')
    const evidence = [issue.count > 1 ? plural(issue.count, 'time') : '', where].filter(Boolean).join(', ')
    const sentence = issue.what.replace(/\.$/, '') + (evidence === '' ? '' : `: ${evidence}`)
    lines.push(...wrap(`  ${sentence} [${issue.code}]`, textWidth(page), '    '))
  }
  return lines
}
