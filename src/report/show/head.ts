/** What there is to know of a lookup before one looks at the picture. */
import { WASTE_KINDS } from '../../model.ts'
import { bytes, count, dateAndTime, duration, plural, timeOfDay } from '../../quantities.ts'
import { wasted } from '../lookup-columns.ts'
import { lossSentences } from '../losses.ts'
import type { LookupRecord } from '../record-types.ts'
import { labelled, type Page, wrap } from '../text/page.ts'
import { BROKEN_OUTCOMES, OUTCOME_WORDS, ROLE_WORDS, WASTE_WORDS, who } from '../words.ts'
import type { Shown } from './choice.ts'
import { serverSentences } from './servers.ts'
import { silenceSentences } from './silence.ts'

const MOST_ANSWERS = 4

export function head(shown: Shown, page: Page): string[] {
  const { lookup, hops } = shown
  const [first, ...others] = wrap(`${lookup.id}  ${lookup.name}: ${fate(lookup)}`, page.width, '  ')
  const title = [first!, ...others].map(BROKEN_OUTCOMES.has(lookup.outcome) ? page.paint.bad : page.paint.head)
  return [
    ...title,
    ...labelled('Client', [client(lookup)], page),
    ...labelled('Asked', [`${lookup.qtypes.join(' and ')}, ${date(lookup.start)}`, ...doubts(shown)], page),
    ...labelled('Answers', answers(lookup), page),
    ...labelled('Search', search(lookup), page),
    ...labelled('Silence', silenceSentences(shown), page),
    ...labelled('Lost', lossSentences(hops), page),
    ...labelled('Waste', waste(lookup), page),
    ...labelled('Servers', serverSentences(hops), page),
  ]
}

function fate({ outcome, waitMs, waitInferred }: LookupRecord): string {
  if (waitMs === null) return OUTCOME_WORDS[outcome]
  const timer = waitInferred ? "; the end of it is the resolver's own timer, on the wire nothing shows it" : ''
  return `${OUTCOME_WORDS[outcome]} after ${duration(waitMs)}${timer}`
}

function client({ client, resolver }: LookupRecord): string {
  const name = who(client)
  const about = [
    client.role === 'unknown' ? '' : ROLE_WORDS[client.role],
    name === client.address ? '' : client.address,
    client.pod === null && client.namespace !== null ? `namespace ${client.namespace}` : '',
    client.node === null || client.node === name ? '' : `on ${client.node}`,
    resolver === null ? '' : `resolver ${resolver}`,
  ].filter(Boolean)
  return about.length === 0 ? name : `${name} (${about.join(', ')})`
}

const date = (time: string): string => `${dateAndTime(time).slice(0, 10)} ${timeOfDay(time)} UTC`

function doubts({ lookup, ofName }: Shown): string[] {
  const sentences = ofName > 1 ? [`the slowest of ${count(ofName)} lookups of this name`] : []
  if (lookup.nameCertain) return sentences
  const others = lookup.alternatives.length > 0 ? `: it can also have been ${lookup.alternatives.join(' or ')}` : ''
  return [...sentences, `the packets do not tell for certain what was asked${others}`]
}

function answers({ answers }: LookupRecord): string[] {
  if (answers.length === 0) return []
  const more = answers.length > MOST_ANSWERS ? ` and ${answers.length - MOST_ANSWERS} more` : ''
  return [answers.slice(0, MOST_ANSWERS).join(', ') + more]
}

function search({ searchList, ndots: { min, max } }: LookupRecord): string[] {
  if (searchList.length === 0) return []
  const dots =
    min === max ? `${min}` : max === null ? `at least ${min}` : min === null ? `at most ${max}` : `${min} to ${max}`
  return [searchList.join(', ') + (min === null && max === null ? '' : ` (ndots ${dots})`)]
}

function waste(lookup: LookupRecord): string[] {
  const { waste } = lookup
  const sum = wasted(lookup)
  const queries = plural(lookup.queries, 'query', 'queries')
  if (sum === 0) return [lookup.queries === 1 ? 'none: the only query was needed' : `none: all ${queries} were needed`]
  const kinds = WASTE_KINDS.filter(kind => waste[kind] > 0).map(kind => `${count(waste[kind])} ${WASTE_WORDS[kind]}`)
  const cost = [
    waste.nxdomain ? `${count(waste.nxdomain)} NXDOMAIN (no such name)` : '',
    waste.bytes === null ? '' : bytes(waste.bytes),
    waste.waitMs ? `${duration(waste.waitMs)} of the waiting` : '',
    waste.reachedCoredns === null ? '' : `${count(waste.reachedCoredns)} reached CoreDNS`,
    waste.leftCluster === null ? '' : `${count(waste.leftCluster)} left the cluster`,
  ]
  return [`${count(sum)} of ${queries}: ${kinds.join(', ')}`, `cost: ${cost.filter(Boolean).join(', ')}`]
}
