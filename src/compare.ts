/** Two sides of captures, before and after a change: each is read alone, in bounded memory, and what is left of them is compared. */
import { analyze, type Options } from './analyze.ts'
import type { Finding } from './model.ts'
import { comparisonOf, type Side } from './report/compare/record.ts'
import type { Comparison } from './report/compare/types.ts'
import type { Report } from './report/report-types.ts'
import { Blocks } from './trace/blocks.ts'
import { isCounted } from './trace/hop.ts'

/** `wanted` leaves out findings. Throws a UserError where a side cannot be analysed. */
export async function compare(
  before: Options,
  after: Options,
  wanted: (findings: Finding[]) => Finding[] = findings => findings,
): Promise<{ comparison: Comparison; reports: [before: Report, after: Report] }> {
  const sides = [await read(before, wanted), await read(after, wanted)] as const
  return { comparison: comparisonOf(...sides), reports: [sides[0].report, sides[1].report] }
}

async function read(options: Options, wanted: (findings: Finding[]) => Finding[]): Promise<Side> {
  const blocks = new Blocks()
  const names = new Map<string, { lookups: number; answered: number }>()
  let clients = 0
  const report = await analyze(options, {
    closedLookup: (lookup, waste) => blocks.addLookup(lookup, waste),
    closedHop: (hop, { endpoints }) => {
      if (!isCounted(hop)) return
      const from = endpoints.askerRole(hop.from, hop.forwarder)
      blocks.addHop(hop, from.role, endpoints.serverRole(hop.transaction.server).role)
    },
    finished: ({ sums }) => {
      for (const [name, { lookups, answered }] of sums.byName) names.set(name, { lookups, answered })
      clients = sums.byClient.size
    },
  })
  return { report: { ...report, findings: wanted(report.findings) }, blocks: blocks.list, names, clients }
}
