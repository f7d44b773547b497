/** The report for people: a pure function from the report to the text of a terminal. */
import type { Report } from './report-types.ts'
import { captured } from './text/captured.ts'
import { encrypted } from './text/encrypted.ts'
import { findings } from './text/findings.ts'
import { flows } from './text/flows.ts'
import { forwarders } from './text/forwarders.ts'
import { issues } from './text/issues.ts'
import { latency } from './text/latency.ts'
import { losses } from './text/losses.ts'
import { more } from './text/more.ts'
import { type Page, pageOf, pageText } from './text/page.ts'
import { path } from './text/path.ts'
import { searchLists } from './text/search-lists.ts'
import { servers } from './text/servers.ts'
import { slowest } from './text/slowest.ts'
import { totals } from './text/totals.ts'
import { unopened } from './text/unopened.ts'
import { upstreams } from './text/upstreams.ts'
import { wasteTable } from './text/waste.ts'

/** The sections in the order of the page: how bad it is, what is wrong, then the numbers. */
const SECTIONS: readonly ((report: Report, page: Page) => string[])[] = [
  captured,
  path,
  encrypted,
  totals,
  losses,
  unopened,
  findings,
  flows,
  wasteTable,
  latency,
  forwarders,
  upstreams,
  slowest,
  issues,
  servers,
  searchLists,
  more,
]

export function reportText(report: Report, options: { width: number; color: boolean }): string {
  const page = pageOf(options)
  return pageText(SECTIONS.map(section => section(report, page)))
}
