/** Whether a word is meant to be another one, as a domain that differs by a letter or two. */

/** More than this is another word. */
const MOST_LETTERS = 2

export const isTypoOf = (domain: string, meant: string): boolean =>
  domain !== meant && Math.abs(domain.length - meant.length) <= MOST_LETTERS && distance(domain, meant) <= MOST_LETTERS

/** Letters to be inserted, left out or changed, two that changed places counting as two (Levenshtein). */
export function distance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++)
      row.push(Math.min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)))
    above = row
  }
  return above[b.length]
}
