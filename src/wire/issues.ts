/** The things that were wrong with bytes or captures: counted by code, with the first frame that showed each. */
import { ISSUES } from '../codes.ts'
import type { Issue } from '../model.ts'

export class Issues {
  private readonly byKey = new Map<string, Issue>()

  /** `frame` is null for what concerns the file as a whole. */
  add(code: string, file: string, frame: number | null, count = 1): void {
    const key = `${code} ${file}`
    const issue = this.byKey.get(key)
    if (issue) issue.count += count
    else this.byKey.set(key, { code, file, count, firstFrame: frame, what: ISSUES[code] ?? code })
  }

  get list(): Issue[] {
    return [...this.byKey.values()]
  }
}
