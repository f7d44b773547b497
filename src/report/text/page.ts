/** The screen that a text is written for, and the two shapes of it: a labelled paragraph, and a note under a table. */
import { escapeText } from '../escape.ts'
import { type Paint, paint } from '../paint.ts'

export interface Page {
  width: number
  paint: Paint
}

/** Narrower than this no table can be read; the terminal may wrap. */
const NARROWEST = 60

export const pageOf = ({ width, color }: { width: number; color: boolean }): Page => ({
  width: Math.max(NARROWEST, width),
  paint: paint(color),
})

/** Blocks of lines with an empty line between them. One with nothing to say gives no lines and is left out. */
export const pageText = (blocks: readonly string[][]): string =>
  `${blocks
    .filter(lines => lines.length > 0)
    .map(lines => lines.join('\n'))
    .join('\n\n')}\n`

/** Longer lines are hard to read, however wide the screen is. */
const LONGEST_LINE = 110
/** Columns of a label on the left. */
export const LABEL = 10

/** A blank at which a line may end: not the one between a number and its unit. */
const BREAK = / (?!(?:µs|ms|s|min|h|%|B|KB|MB|GB)(?![a-zA-Z]))/

/** The lines of a text, broken between words, all but the first one indented; a word that is wider than a line is cut. */
export function wrap(text: string, width: number, indent = ''): string[] {
  const lines: string[] = []
  let line = ''
  let empty = true
  for (const word of escapeText(text).split(BREAK)) {
    if (!empty && line.length + 1 + word.length > width) {
      lines.push(line.trimEnd())
      line = indent
      empty = true
    }
    line += (empty ? '' : ' ') + word
    empty = false
    while (line.length > width) {
      lines.push(line.slice(0, width))
      line = indent + line.slice(width)
    }
  }
  return empty ? lines : [...lines, line]
}

/** A label on the left and sentences beside it, each beginning its own line. */
export function labelled(label: string, sentences: readonly string[], page: Page): string[] {
  const lines = sentences.flatMap(sentence => wrap(sentence, textWidth(page) - LABEL, '  '))
  return lines.map((line, i) => (i === 0 ? page.paint.head(label.padEnd(LABEL)) : ' '.repeat(LABEL)) + line)
}

/** Explains a table in a faint line beneath it. */
export function note(text: string, page: Page): string[] {
  return wrap(text, textWidth(page)).map(line => page.paint.faint(line))
}

export function textWidth(page: Page): number {
  return Math.min(page.width, LONGEST_LINE)
}
