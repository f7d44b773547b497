/** Colour as an addition: nothing is said by colour alone, and without it every function gives back its text. */

export interface Paint {
  head: (text: string) => string
  faint: (text: string) => string
  good: (text: string) => string
  warn: (text: string) => string
  bad: (text: string) => string
}

const sgr = (on: number, off: number) => (text: string) => (text === '' ? text : `\x1b[${on}m${text}\x1b[${off}m`)
const plain = (text: string) => text

const COLOURED: Paint = { head: sgr(1, 22), faint: sgr(2, 22), good: sgr(32, 39), warn: sgr(33, 39), bad: sgr(31, 39) }
const PLAIN: Paint = { head: plain, faint: plain, good: plain, warn: plain, bad: plain }

export function paint(color: boolean): Paint {
  return color ? COLOURED : PLAIN
}
