/**
 * Text that came from outside (interface names, file names, comments, hints) made safe for a terminal. Control characters can move
 * the cursor or change colours, bidirectional and invisible ones can make a name look like another: all of them are shown by number.
 */

const PLAIN = /^[\x20-\x7e]*$/
const HOSTILE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu

/** The text with every control, invisible or unassigned character written as \x1b or \u{202e}. */
export function escapeText(text: string): string {
  if (PLAIN.test(text)) return text
  return text.replace(HOSTILE, character => {
    const code = character.codePointAt(0)!
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
  })
}
