/** Names that nobody on the Internet can have: their last label is no top-level domain and never will be one. */

/**
 * RFC 6761, 6762, 7686, 8375 and 9476; .internal is reserved by ICANN (2024), .corp, .home and .mail are not delegated (2018); svc, lan
 * and localdomain are not delegated.
 */
const NOBODYS: ReadonlySet<string> = new Set([
  'alt',
  'corp',
  'example',
  'home',
  'internal',
  'invalid',
  'lan',
  'local',
  'localdomain',
  'localhost',
  'mail',
  'onion',
  'svc',
  'test',
])

/** True for a name of several labels that may exist outside of the cluster. */
export function mayExistOutside(name: string): boolean {
  const dot = name.lastIndexOf('.')
  return dot > 0 && !NOBODYS.has(name.slice(dot + 1)) && /[a-z]/.test(name.slice(dot + 1))
}
