/** The lookups of a capture under another configuration: read once, then walked again. */
import { analyze, type Options } from './analyze.ts'
import { UserError } from './model.ts'
import type { Report } from './report/report-types.ts'
import { whatIfOf } from './report/what-if/record.ts'
import type { WhatIf } from './report/what-if/types.ts'
import type { Change } from './trace/change.ts'

/** Throws a UserError where nothing would change, or the change names something that is not in the capture. */
export async function whatIf(options: Options, change: Change): Promise<{ whatIf: WhatIf; report: Report }> {
  const { ndots, trailingDot, dropSuffix, autopath, nodeLocalCache } = change
  if (ndots === null && trailingDot.length + dropSuffix.length === 0 && !autopath && !nodeLocalCache)
    throw new UserError(
      'say what would change: --ndots 2, --trailing-dot NAME, --drop-suffix DOMAIN, --autopath, --node-local-cache.',
    )
  let found: WhatIf | null = null
  const report = await analyze(options, {
    finished: (trace, context, filters) => {
      found = whatIfOf(trace, context, change, filters)
    },
  })
  return { whatIf: found as unknown as WhatIf, report }
}
