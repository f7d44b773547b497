/** The things that were wrong with bytes or captures: counted by code, with the first frame that showed each. */
import { ISSUES } from '../codes.ts'
import type { Issue } from '../model.ts'

export class Issues {
  /** By file, then by code. */
  private readonly byFile = new Map<string, Map<string, Issue>>()

  /** `frame` is null for what concerns the file as a whole. */
  add(code: string, file: string, frame: number | null, count = 1): void {
    let byCode = this.byFile.get(file)
    if (!byCode) {
      byCode = new Map()
      this.byFile.set(file, byCode)
    }
    const issue = byCode.get(code)
    if (issue) issue.count += count
    else byCode.set(code, { code, file, count, firstFrame: frame, what: ISSUES[code] ?? code })
  }

  /** Takes an issue as another thread has counted it so far. */
  put(issue: Issue): void {
    const known = this.byFile.get(issue.file)?.get(issue.code)
    if (known) known.count = issue.count
    else this.add(issue.code, issue.file, issue.firstFrame, issue.count)
  }

  get list(): Issue[] {
    return [...this.byFile.values()].flatMap(byCode => [...byCode.values()])
  }
}
