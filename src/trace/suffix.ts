/** How two names of one search walk relate: a common base, and what each has behind it. */

/**
 * Length of the longest run of whole labels with which both names begin; 0 if there is none. The names of one walk are the base
 * alone or the base with a search domain behind it, so this is where the search domain begins.
 */
export function commonBase(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length)
  let boundary = 0
  let i = 0
  for (; i < shorter && a.charCodeAt(i) === b.charCodeAt(i); i++) {
    if (isBoundary(a, i)) boundary = i
  }
  if ((i === a.length || isBoundary(a, i)) && (i === b.length || isBoundary(b, i))) boundary = i
  return boundary
}

/** The part of a name behind its base; "" where the name is the base itself. */
export const behind = (name: string, base: number): string => (base >= name.length ? '' : name.slice(base + 1))

/** A dot that separates labels; an escaped one belongs to its label. */
const isBoundary = (name: string, at: number): boolean => name.charCodeAt(at) === 46 && name.charCodeAt(at - 1) !== 92

/** Dots as a stub resolver counts them for ndots. */
export function dots(name: string): number {
  let n = 0
  for (let i = 0; i < name.length; i++) if (isBoundary(name, i)) n++
  return n
}

/** True if `name` is `suffix` below at least one label. */
export const endsWithSuffix = (name: string, suffix: string): boolean =>
  name.length > suffix.length + 1 && name.endsWith(suffix) && isBoundary(name, name.length - suffix.length - 1)

/** True if `name` is `zone` or a name in it. */
export const isWithin = (name: string, zone: string): boolean => name === zone || endsWithSuffix(name, zone)

/** True if `name` is `base` with something behind it. */
export const beginsWithBase = (name: string, base: string): boolean =>
  name.length > base.length && name.charCodeAt(base.length) === 46 && name.startsWith(base)

/** `name` without `suffix`; the name itself for "". */
export const withoutSuffix = (name: string, suffix: string): string =>
  suffix === '' ? name : name.slice(0, name.length - suffix.length - 1)

/** The namespace and cluster domain of a search domain such as shop.svc.cluster.local; null for any other. */
export function namespaceOf(suffix: string): { namespace: string; zone: string } | null {
  const at = suffix.indexOf('.svc.')
  if (at <= 0 || suffix.indexOf('.') !== at) return null
  return { namespace: suffix.slice(0, at), zone: suffix.slice(at + 5) }
}
