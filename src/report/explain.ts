/** A finding explained: what it means, why it happens, what to do, how we know; for the terminal. */
import type { Rule } from '../findings/rule.ts'
import type { Paint } from './paint.ts'
import { type Page, wrap } from './text/page.ts'

/** Lines longer than this tire the eye. */
const LONGEST_LINE = 90

const sections = (rule: Rule): [title: string, text: string][] => [
  ['What it means', rule.means],
  ['Why it happens', rule.why],
  ['What to do', rule.todo],
  ['How we know', rule.evidence],
]

export function explainText(rule: Rule, page: Page): string {
  const { paint } = page
  const width = Math.min(page.width, LONGEST_LINE)
  const lines = [paint.head(`${rule.code} (${rule.severity})`), ...wrap(rule.title, width), '']
  for (const [title, text] of sections(rule)) lines.push(paint.head(title), ...wrap(text, width), '')
  lines.push(
    paint.head('Read on'),
    ...rule.links,
    '',
    ...wrap(`Shown by: ${rule.shownBy.join('; ')}`, width).map(paint.faint),
  )
  return `${lines.join('\n')}\n`
}

/** One line for each, in the order in which they are looked for. */
export function explainList(rules: readonly Rule[], { width, paint }: { width: number; paint: Paint }): string {
  const widest = Math.max(...rules.map(rule => rule.code.length))
  const lines = rules.flatMap(rule =>
    wrap(rule.title, width - widest - 11).map(
      (text, i) =>
        (i === 0 ? `${rule.code.padEnd(widest)}  ${rule.severity.padEnd(7)}  ` : ' '.repeat(widest + 11)) + text,
    ),
  )
  return `${[paint.head(`${'finding'.padEnd(widest)}  at most`), ...lines].join('\n')}\n`
}

/** The same as a page of the documentation. */
export function explainPage(rule: Rule): string {
  const body = sections(rule).map(([title, text]) => `## ${title}\n\n${text}\n`)
  const links = rule.links.map(link => `- <${link}>`).join('\n')
  return `# ${rule.code}\n\n${rule.title}. Severity: ${rule.severity}${rule.severity === 'info' ? '' : ' at most'}.\n\n${body.join('\n')}\n## Read on\n\n${links}\n\nShown by: ${rule.shownBy.join('; ')}.\n`
}
