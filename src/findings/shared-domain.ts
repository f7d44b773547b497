/** The domain below which all of some names lie. */

/** What all names end with, at least a label, and with two names or more not one of them as a whole; null without. */
export function sharedDomain(names: readonly string[]): string | null {
  const split = names.map(name => name.split('.').reverse())
  const shortest = Math.min(...split.map(labels => labels.length))
  let common = 0
  while (common < shortest && split.every(labels => labels[common] === split[0][common])) common++
  // One name alone: its domain is what stands behind the first label.
  if (names.length === 1) common--
  return common < 1 ? null : split[0].slice(0, common).reverse().join('.')
}
