/** A terminal's whole screen, drawn again and again, and left as it was found: the cursor shown, what was there before in its place. */

/** What is needed of a stream to draw on it. */
export interface Drawable {
  columns?: number | undefined
  rows?: number | undefined
  write: (text: string) => unknown
}

const ESC = '\x1b['
/** The second screen of the terminal, so that the first one keeps what stands there. */
const ENTER = `${ESC}?1049h${ESC}?25l${ESC}2J`
const LEAVE = `${ESC}?25h${ESC}?1049l`
/** Terminals that know it show a picture when it is whole. */
const BEGIN = `${ESC}?2026h`
const END = `${ESC}?2026l`

const COLUMNS = 80
const ROWS = 24

export class FullScreen {
  private readonly stream: Drawable
  private entered = false

  constructor(stream: Drawable) {
    this.stream = stream
  }

  get size(): { columns: number; rows: number } {
    return { columns: this.stream.columns || COLUMNS, rows: this.stream.rows || ROWS }
  }

  /** Each line in its row; what has no room is cut, so that nothing scrolls. */
  draw(lines: readonly string[]): void {
    const { columns, rows } = this.size
    let text = this.entered ? BEGIN : ENTER + BEGIN
    this.entered = true
    for (let i = 0; i < rows; i++) {
      // Erased before it is written: behind the last column a terminal would erase the last character.
      text += `${ESC}${i + 1};1H${ESC}2K${clip(lines[i] ?? '', columns)}`
    }
    this.stream.write(`${text}${END}`)
  }

  /** Safe to call at any time. */
  readonly leave = (): void => {
    if (!this.entered) return
    this.entered = false
    this.stream.write(LEAVE)
  }
}

/** A colour on or off, as paint writes it. */
const COLOUR = new RegExp(`(${ESC.replace('[', '\\[')}\\d+m)`)

/** The first `width` characters, with all colours, so that none stays on. */
export function clip(line: string, width: number): string {
  if (line.length <= width) return line
  let left = width
  let text = ''
  for (const [i, part] of line.split(COLOUR).entries()) {
    const isColour = i % 2 === 1
    text += isColour ? part : part.slice(0, left)
    if (!isColour) left = Math.max(0, left - part.length)
  }
  return text
}
