/** The columns of a hop: `dnstrail hops`. */
import { duration, timeOfDay } from '../quantities.ts'
import type { Column } from './columns.ts'
import type { HopRecord } from './record-types.ts'
import { BROKEN_OUTCOMES, nameText, OUTCOME_WORDS, ROLE_WORDS, who } from './words.ts'

/** A server by its role, or by its address where the role is not known. */
const server = (hop: HopRecord) =>
  hop.to.role === 'unknown' ? hop.to.address : `${ROLE_WORDS[hop.to.role]} ${hop.to.address}`

export const HOP_COLUMNS: readonly Column<HopRecord>[] = [
  { key: 'id', title: 'id', value: h => h.id },
  { key: 'lookup', title: 'lookup', value: h => h.lookup, width: 7, drop: 6 },
  { key: 'causedBy', title: 'caused by', value: h => h.causedBy.join(' ') },
  { key: 'start', title: 'start (UTC)', value: h => h.start, text: h => timeOfDay(h.start), width: 12 },
  {
    key: 'from',
    title: 'from',
    value: h => h.from.address,
    text: h => who(h.from),
    width: 36,
    keep: 'head',
    least: 10,
  },
  { key: 'fromPort', title: 'port', value: h => h.from.port },
  { key: 'fromRole', title: 'role', value: h => h.from.role },
  { key: 'fromNamespace', title: 'namespace', value: h => h.from.namespace },
  { key: 'fromPod', title: 'pod', value: h => h.from.pod },
  { key: 'fromNode', title: 'node', value: h => h.from.node },
  { key: 'fromSeenAddress', title: 'seen as', value: h => h.from.seen?.address ?? null },
  { key: 'fromSeenPort', title: 'seen port', value: h => h.from.seen?.port ?? null },
  { key: 'to', title: 'to', value: h => h.to.address, text: server, width: 32, keep: 'head', least: 12 },
  { key: 'toPort', title: 'port', value: h => h.to.port },
  { key: 'toRole', title: 'role', value: h => h.to.role },
  { key: 'toAsked', title: 'asked', value: h => h.to.asked },
  { key: 'toNode', title: 'node', value: h => h.to.node },
  { key: 'transport', title: 'over', value: h => h.transport, width: 4, drop: 5 },
  { key: 'dnsId', title: 'dns id', value: h => h.dnsId },
  { key: 'qtype', title: 'type', value: h => h.qtype, width: 5, drop: 2 },
  {
    key: 'qname',
    title: 'name',
    value: h => h.qname,
    text: h => nameText(h.qname),
    width: 44,
    keep: 'tail',
    least: 16,
  },
  {
    key: 'outcome',
    title: 'outcome',
    value: h => h.outcome,
    text: h => OUTCOME_WORDS[h.outcome],
    width: 14,
    keep: 'start',
    least: 12,
    color: h => (BROKEN_OUTCOMES.has(h.outcome) ? 'bad' : null),
  },
  { key: 'rcode', title: 'rcode', value: h => h.rcode },
  { key: 'waitMs', title: 'wait', value: h => h.waitMs, text: h => duration(h.waitMs), align: 'right', width: 7 },
  { key: 'serverMs', title: 'server', value: h => h.serverMs },
  { key: 'ownMs', title: 'own', value: h => h.ownMs, text: h => duration(h.ownMs), align: 'right', width: 7, drop: 4 },
  { key: 'retransmissions', title: 'again', value: h => h.retransmissions, align: 'right', width: 5, drop: 7 },
  { key: 'servedFrom', title: 'served from', value: h => h.servedFrom, width: 13, drop: 3 },
  { key: 'sightings', title: 'sightings', value: h => h.sightings },
  { key: 'file', title: 'file', value: h => h.frames[0]?.file ?? null },
  { key: 'frame', title: 'frame', value: h => h.frames[0]?.number ?? null, align: 'right', width: 7, drop: 1 },
]
