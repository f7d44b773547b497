/** JSON of reports and records: the records as they are, null for unknown. */

/** What JSON allows raw but a terminal should not see: DEL, C1 controls, invisible and bidirectional characters. */
const HOSTILE = /[\u007f-\u009f\p{Cf}\u2028\u2029]/gu

/** Pretty with two spaces, and a newline at the end. */
export function jsonText(value: unknown): string {
  return `${safe(JSON.stringify(value, null, 2))}\n`
}

/** One line without its newline. */
export function jsonLine(value: unknown): string {
  return safe(JSON.stringify(value))
}

/** The same JSON value: such characters stand only inside strings, where an escape means the character. */
function safe(json: string): string {
  return json.replace(HOSTILE, character => {
    let escaped = ''
    for (let i = 0; i < character.length; i++) escaped += `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`
    return escaped
  })
}
