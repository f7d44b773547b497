/** Findings (what is wrong with the cluster's DNS) and issues (what is wrong with the capture), in sentences with their frames. */
import type { Finding, FrameRef, Report } from '../../model.ts'
import { count, plural } from '../../quantities.ts'
import type { Paint } from '../paint.ts'
import { type Page, textWidth, wrap } from './page.ts'

const MOST_FRAMES = 4
const SEVERITIES: Record<Finding['severity'], { rank: number; color: keyof Paint }> = {
  problem: { rank: 0, color: 'bad' },
  warning: { rank: 1, color: 'warn' },
  info: { rank: 2, color: 'good' },
}

export function findings({ findings, captures }: Report, page: Page): string[] {
  if (findings.length === 0) return []
  const sorted = [...findings].sort((a, b) => SEVERITIES[a.severity].rank - SEVERITIES[b.severity].rank)
  const lines = [page.paint.head('Findings')]
  for (const finding of sorted) {
    const { color } = SEVERITIES[finding.severity]
    const where = frameList(finding.frames, captures.length > 1)
    lines.push(
      `  ${page.paint[color](finding.severity)}  ${finding.code}${finding.count > 1 ? `  ${count(finding.count)} times` : ''}`,
    )
    for (const text of [finding.what, finding.why, finding.advice, where]) lines.push(...indented(text, page))
  }
  return lines
}

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

const indented = (text: string, page: Page) =>
  text === '' ? [] : wrap(text, textWidth(page) - 4).map(line => `    ${line}`)

function frameList(frames: FrameRef[], severalFiles: boolean): string {
  if (frames.length === 0) return ''
  const shown = frames
    .slice(0, MOST_FRAMES)
    .map(({ file, number }) => (severalFiles ? `${file}:${number}` : `${number}`))
  const more = frames.length > MOST_FRAMES ? ', …' : ''
  return `${frames.length === 1 ? 'Frame' : 'Frames'} ${shown.join(', ')}${more}`
}
