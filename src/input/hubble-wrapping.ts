/**
 * What other tools leave around the JSON of a line: a container runtime's prefix or envelope, a program's own words before it, an
 * object that was printed over many lines (jq), a byte order mark.
 * https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md
 */
import { LONGEST_LINE } from './hubble-lines.ts'

/** What a line is, where it is not JSON to be read: */
export const BLANK = 0
/** Part of an object that goes on in the next line. */
export const PIECE = 1
export const NO_JSON = 2

/** | time | stream | P: goes on in the next line, F: ends | */
const CRI = /^\S+ (?:stdout|stderr) ([PF])(?::\S+)? /

export class Wrapping {
  /** The pieces of a line that a runtime cut at 16 KiB, or of an object that was printed over many lines. */
  private pieces: string[] = []
  private size = 0
  /** What the closing line of such an object begins with; null while none is open. */
  private closing: string | null = null

  /** The JSON in a line, or one of the above. */
  unwrap(line: string): string | typeof BLANK | typeof PIECE | typeof NO_JSON {
    if (line.charCodeAt(0) === 0x7b && this.closing === null && line.length > 2) return fromDocker(line)
    return this.unwrapUnusual(line)
  }

  private unwrapUnusual(line: string): string | typeof BLANK | typeof PIECE | typeof NO_JSON {
    const text = line.replace(/^\ufeff/, '').trimEnd()
    if (this.closing !== null) return this.goOn(text)
    const cri = CRI.exec(text)
    if (cri !== null) {
      const content = text.slice(cri[0].length)
      if (cri[1] === 'P') return this.keep(content)
      return this.size === 0 ? this.unwrap(content) : this.whole(content)
    }
    const bare = text.trimStart()
    if (bare === '') return BLANK
    // The brackets of an array that was printed over many lines.
    if (bare === '[' || bare === ']') return PIECE
    if (bare === '{') {
      this.closing = `${text.slice(0, text.length - 1)}}`
      return this.keep(text)
    }
    if (bare.startsWith('{') || bare.startsWith('[{')) return fromDocker(bare.replace(/,$/, ''))
    const brace = bare.indexOf('{"')
    return brace < 0 ? NO_JSON : bare.slice(brace)
  }

  private goOn(text: string): string | typeof PIECE | typeof NO_JSON {
    if (text === this.closing || text === `${this.closing},`) {
      this.closing = null
      return this.whole('}')
    }
    return this.keep(text)
  }

  private keep(text: string): typeof PIECE | typeof NO_JSON {
    this.size += text.length + 1
    if (this.size > LONGEST_LINE) {
      this.clear()
      return NO_JSON
    }
    this.pieces.push(text)
    return PIECE
  }

  private whole(end: string): string {
    // A runtime cuts within a text, so nothing may come between; jq's lines are the same to JSON either way.
    const text = this.pieces.join('') + end
    this.clear()
    return text
  }

  /** True while an object is unfinished. */
  get isOpen(): boolean {
    return this.size > 0
  }

  private clear(): void {
    this.pieces = []
    this.size = 0
    this.closing = null
  }
}

/** Docker's json-file driver puts the line into an object of its own. */
function fromDocker(text: string): string | typeof NO_JSON {
  if (!text.startsWith('{"log":"')) return text
  try {
    const { log } = JSON.parse(text) as { log: unknown }
    const line = typeof log === 'string' ? log.trim() : ''
    return line.startsWith('{') ? line : NO_JSON
  } catch {
    return text
  }
}
