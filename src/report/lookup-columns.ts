/** The columns of a lookup: `dnstrail lookups`, and the slowest lookups of the report. */
import { count, duration, timeOfDay } from '../quantities.ts'
import type { Column } from './columns.ts'
import type { LookupRecord } from './record-types.ts'
import { BROKEN_OUTCOMES, nameText, OUTCOME_WORDS, who } from './words.ts'

export function wasted({ waste }: LookupRecord): number {
  return waste.search + waste.fanOut + waste.retransmission + waste.truncation + waste.family
}

/** "?" marks a name that the wire does not tell for certain. */
const markedName = ({ name, nameCertain }: LookupRecord) => (nameCertain ? nameText(name) : `${nameText(name)}?`)

/** "*" marks a wait that includes a timer of the resolver after the last message. */
const markedWait = (lookup: LookupRecord) => duration(lookup.waitMs) + (lookup.waitInferred ? '*' : '')

export const LOOKUP_COLUMNS: readonly Column<LookupRecord>[] = [
  { key: 'id', title: 'id', value: l => l.id, width: 5 },
  { key: 'start', title: 'start (UTC)', value: l => l.start, text: l => timeOfDay(l.start), width: 12 },
  { key: 'end', title: 'end', value: l => l.end },
  {
    key: 'client',
    title: 'client',
    value: l => l.client.address,
    text: l => who(l.client),
    width: 36,
    keep: 'head',
    least: 10,
  },
  { key: 'namespace', title: 'namespace', value: l => l.client.namespace },
  { key: 'pod', title: 'pod', value: l => l.client.pod },
  { key: 'workload', title: 'workload', value: l => l.client.workload },
  { key: 'node', title: 'node', value: l => l.client.node },
  { key: 'role', title: 'role', value: l => l.client.role },
  { key: 'name', title: 'name', value: l => l.name, text: markedName, width: 40, keep: 'tail', least: 18 },
  { key: 'nameCertain', title: 'certain', value: l => l.nameCertain },
  { key: 'qtypes', title: 'types', value: l => l.qtypes.join(' ') },
  {
    key: 'outcome',
    title: 'outcome',
    value: l => l.outcome,
    text: l => OUTCOME_WORDS[l.outcome],
    width: 14,
    keep: 'start',
    least: 12,
    color: l => (BROKEN_OUTCOMES.has(l.outcome) ? 'bad' : null),
  },
  { key: 'partial', title: 'partial', value: l => l.partial },
  { key: 'waitMs', title: 'wait', value: l => l.waitMs, text: markedWait, align: 'right', width: 8 },
  { key: 'waitInferred', title: 'inferred', value: l => l.waitInferred },
  {
    key: 'queries',
    title: 'queries',
    value: l => l.queries,
    text: l => count(l.queries),
    align: 'right',
    width: 7,
    drop: 1,
  },
  { key: 'wasted', title: 'wasted', value: wasted, align: 'right', width: 6, drop: 2 },
  { key: 'wasteSearch', title: 'search', value: l => l.waste.search },
  { key: 'wasteFanOut', title: 'fan-out', value: l => l.waste.fanOut },
  { key: 'wasteRetransmission', title: 'again', value: l => l.waste.retransmission },
  { key: 'wasteTruncation', title: 'truncation', value: l => l.waste.truncation },
  { key: 'wasteFamily', title: 'family', value: l => l.waste.family },
  { key: 'wasteNxdomain', title: 'NXDOMAIN', value: l => l.waste.nxdomain },
  { key: 'wasteBytes', title: 'wasted bytes', value: l => l.waste.bytes },
  { key: 'wasteWaitMs', title: 'wasted wait', value: l => l.waste.waitMs },
  { key: 'reachedCoredns', title: 'reached CoreDNS', value: l => l.waste.reachedCoredns },
  { key: 'leftCluster', title: 'left the cluster', value: l => l.waste.leftCluster },
  { key: 'resolver', title: 'resolver', value: l => l.resolver, width: 8, drop: 3 },
  { key: 'answers', title: 'answers', value: l => l.answers.join(' ') },
  { key: 'candidates', title: 'candidates', value: l => l.candidates.map(c => `${c.name}=${c.outcome}`).join(' ') },
  { key: 'file', title: 'file', value: l => l.frames[0]?.file ?? null },
  { key: 'frame', title: 'frame', value: l => l.frames[0]?.number ?? null, align: 'right', width: 7, drop: 0.5 },
]
