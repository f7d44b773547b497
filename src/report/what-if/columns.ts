/** The columns of what-if: one row per workload, and one for all. */
import { count, roughDuration, share } from '../../quantities.ts'
import type { Column } from '../columns.ts'
import type { LoadRow, WorkloadEffect } from './types.ts'

const both = (
  field: Exclude<keyof LoadRow, 'lookups'>,
  titles: [before: string, after: string],
  text: (value: number | null) => string,
  drop?: number,
): Column<WorkloadEffect>[] => [
  {
    key: `${field}Before`,
    title: titles[0],
    value: ({ before }) => before[field],
    text: ({ before }) => text(before[field]),
    align: 'right',
    ...(drop === undefined ? {} : { drop }),
  },
  {
    key: `${field}After`,
    title: titles[1],
    value: ({ after }) => after[field],
    text: ({ after }) => text(after[field]),
    align: 'right',
    ...(drop === undefined ? {} : { drop }),
  },
]

export const WHAT_IF_COLUMNS: readonly Column<WorkloadEffect>[] = [
  {
    key: 'workload',
    title: 'By workload',
    value: w => w.workload,
    text: w => `  ${w.workload}`,
    keep: 'head',
    least: 16,
  },
  { key: 'clients', title: 'clients', value: w => w.clients, text: w => count(w.clients), align: 'right', drop: 5 },
  { key: 'resolvers', title: 'resolver', value: w => w.resolvers.join(' '), keep: 'head', drop: 4 },
  {
    key: 'lookups',
    title: 'lookups',
    value: w => w.before.lookups,
    text: w => count(w.before.lookups),
    align: 'right',
    drop: 3,
  },
  ...both('queries', ['queries', 'then'], count),
  {
    key: 'saved',
    title: '',
    value: w => w.before.queries - w.after.queries,
    text: w => changeShare(w.before.queries, w.after.queries),
    align: 'right',
  },
  ...both('bytes', ['bytes', 'then'], count),
  ...both('waitMs', ['waited', 'then'], roughDuration, 1),
  ...both('coredns', ['CoreDNS', 'then'], count, 2),
  ...both('upstream', ['upstream', 'then'], count, 2),
  ...both('failed', ['failed', 'then'], count, 6),
]

/** "-39 %", "+12 %", "x 27"; empty where nothing changes or something is unknown. */
export function changeShare(before: number | null, after: number | null): string {
  if (before === null || after === null || before === after || before === 0) return ''
  if (after >= MANY_TIMES * before) return `x ${count(Math.round(after / before))}`
  // Without the noise of the last bits, so that all of it is 100 %.
  const part = Math.round((1e9 * Math.abs(after - before)) / before) / 1e9
  return part < LEAST_PART ? '' : `${after < before ? '-' : '+'}${share(part, 1)}`
}

/** Less than a tenth of a percent is no change. */
const LEAST_PART = 0.001
/** Beyond this a percentage is hard to read. */
const MANY_TIMES = 10
