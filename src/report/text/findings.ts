/** Findings: one line that counts them for the first screen, and the section that tells of each. */
import { type Finding, SEVERITIES, type Severity } from '../../model.ts'
import { plural } from '../../quantities.ts'
import type { Paint } from '../paint.ts'
import type { Report } from '../report-types.ts'
import { labelled, type Page, textWidth, wrap } from './page.ts'

const COLORS: Record<Severity, keyof Paint> = { problem: 'bad', warning: 'warn', info: 'good' }

/** More frames than this are for the filter in the json. */
const MOST_FRAMES = 5

/** "1 problem: coredns-unreachable; 2 warnings: ndots-waste, useless-suffix". */
export function findingCounts({ findings, totals }: Report, page: Page): string[] {
  if (totals.lookups === 0) return []
  const parts = SEVERITIES.flatMap(severity => {
    const codes = findings.filter(finding => finding.severity === severity).map(({ code }) => code)
    if (codes.length === 0) return []
    return [
      `${plural(codes.length, severity, severity === 'info' ? severity : undefined)}: ${[...new Set(codes)].join(', ')}`,
    ]
  })
  return labelled('Findings', [parts.length === 0 ? 'none' : parts.join('; ')], page)
}

export function findings({ findings, captures }: Report, page: Page): string[] {
  if (findings.length === 0) return []
  const lines = [page.paint.head('What was found')]
  for (const severity of SEVERITIES) {
    for (const finding of findings.filter(finding => finding.severity === severity)) {
      lines.push(`  ${page.paint[COLORS[severity]](severity)}  ${finding.code}`)
      const where = seenIn(finding, captures.length > 1)
      const texts = [finding.what, finding.advice === '' ? '' : `Do: ${finding.advice}`, ...where]
      for (const text of severity === 'info' ? texts.slice(0, 1) : texts) lines.push(...indented(text, page))
    }
  }
  return lines
}

const indented = (text: string, page: Page): string[] =>
  text === '' ? [] : wrap(text, textWidth(page) - 4).map(line => `    ${line}`)

/** Where it is seen: a lookup to be shown, and the frames of the file that shows most of them, as a filter that Wireshark takes. */
function seenIn({ lookup, filters, frames }: Finding, severalFiles: boolean): string[] {
  const shown = lookup === null ? [] : [`See: dnstrail show ... ${lookup}`]
  const best = [...filters].sort((a, b) => b.filter.length - a.filter.length)[0]
  if (best === undefined) return shown
  const numbers = frames.filter(({ file }) => file === best.file).map(({ number }) => number)
  const filter = `frame.number in {${numbers.slice(0, MOST_FRAMES).join(', ')}}`
  return [...shown, `Wireshark: ${filter}${severalFiles ? ` of ${best.file}` : ''}`]
}
