/** Tables that had more keys than they keep, as issues: what is forgotten is never silent. */
import { ISSUES } from '../codes.ts'
import type { Issue } from '../model.ts'
import { count } from '../quantities.ts'
import type { Limit } from '../trace/limit.ts'

/** `sums`: of the top lists; `unlisted`: encrypted connections that no row tells of. */
export const limitIssues = (sums: Limit, findings: Limit, unlisted: number, files: readonly string[]): Issue[] => [
  ...(unlisted === 0 ? [] : [encryptedIssue(unlisted, files)]),
  ...issueOf('sums-limit', sums, files),
  ...issueOf('findings-limit', findings, files),
]

const encryptedIssue = (unlisted: number, files: readonly string[]): Issue => ({
  code: 'encrypted-limit',
  file: files[0],
  count: unlisted,
  firstFrame: null,
  what: ISSUES['encrypted-limit'],
})

function issueOf(code: string, { first, forgotten, error }: Limit, files: readonly string[]): Issue[] {
  if (forgotten === 0) return []
  const what = ISSUES[code].replace('{error}', count(error))
  return [{ code, file: files[first?.file ?? 0], count: forgotten, firstFrame: first?.frame ?? null, what }]
}
