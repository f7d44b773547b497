/** How far the capture can be trusted, in words: each remark says what was seen and what it means for the numbers. */
import { pausesOf } from '../input/pauses.ts'
import type { Capture, Issue } from '../model.ts'
import { count, duration, listed, plural, share, timeOfDay } from '../quantities.ts'
import type { Matching } from '../trace/matching.ts'
import type { OneWay } from '../trace/one-way.ts'
import type { Sums } from '../trace/sums.ts'
import type { Remark } from './flow-remarks.ts'
import { timeText } from './records.ts'
import type { Report } from './report-types.ts'

type Grade = Report['quality']['grade']

/** Shares below these are not worth a word, or only make the capture fair. */
const SOME = 0.01
const HARDLY_LOSSY = 0.001
const MANY = 0.1

/** Of a capture of one direction; the rest was asked of servers of which too little was seen. */
const NEARLY_ALL = 0.98

/** A vantage point with fewer messages, or with a larger share of the other direction, shows nothing about directions. */
const ENOUGH = 10
const HARDLY_ANY = 0.02
const MOST_NAMED = 3

/** A vantage point, and how many messages of each direction were seen there. */
export interface Place {
  name: string
  queries: number
  responses: number
}

/** Issues after which something is missing that nobody can count. */
const DAMAGE = new Set([
  'record-length',
  'tcp-limit',
  'fragments-limit',
  'addresses-limit',
  'names-limit',
  'compression-damaged',
  'read-failed',
  'block-length',
])

export function qualityOf(
  captures: Capture[],
  { counts: matching, givenUp }: Matching,
  oneWay: OneWay,
  places: Place[],
  { transactions, cutNames, unseen, lookups, cutShort }: Sums,
  ofFlows: Remark[],
  issues: Issue[],
): Report['quality'] {
  const remarks: Remark[] = [...ofFlows]
  const messages = captures.reduce((n, c) => n + c.messages, 0)
  const remark = (part: number, whole: number, text: string): void => {
    if (part > 0) remarks.push({ grade: gradeOf(part, whole), text })
  }
  const dropped = captures.reduce((n, c) => n + (c.lines === null ? (c.dropped ?? 0) : 0), 0)
  const frames = captures.reduce((n, c) => n + c.frames, 0)
  remark(
    dropped,
    frames,
    `The capturing machine lost ${plural(dropped, 'frame')}: a query or response among them looks unanswered here.`,
  )
  remark(
    matching.responsesAlone,
    Math.max(1, messages),
    `${plural(matching.responsesAlone, 'response')} (${share(matching.responsesAlone, messages)}) came to queries that are not in the capture: it began late, lost frames or saw one direction only.`,
  )
  for (const capture of captures) remarks.push(...pauses(capture, captures.length > 1))
  remarks.push(...oneDirection(oneWay, transactions))
  const lost = Math.max(0, unseen - oneWay.queries)
  // Threads that ask the same at once look like that now and then.
  const isLossy = lost >= HARDLY_LOSSY * transactions
  remark(
    isLossy ? lost : 0,
    Math.max(1, transactions),
    `${plural(lost, 'answer')} (${share(lost, transactions)}) must have come, as who asked went on without asking again, and were not captured: the capture lost frames.`,
  )
  if (oneWay.queries + oneWay.responses < NEARLY_ALL * transactions) remarks.push(...directions(places, oneWay.isDead))
  if (matching.copies > 0)
    remarks.push({
      grade: 'good',
      text: `${plural(matching.copies, 'frame')} (${share(matching.copies, messages)}) were captured twice at one place, as a mirror port or a bridge does it: they count once.`,
    })
  if (givenUp > 0)
    remarks.push({
      grade: givenUp > MANY * transactions ? 'poor' : 'fair',
      text: `So many queries waited at once that ${plural(givenUp, 'query', 'queries')} (${share(givenUp, transactions)}) were given up: whether they were answered is not known, and they count as if the capture had ended.`,
    })
  const { cut, torn } = cutMessages(captures)
  remark(
    cut,
    messages,
    `${plural(cut, 'message')} (${share(cut, messages)}) cut by the snap length: names and answers are incomplete. Capture with -s 0.`,
  )
  remark(
    torn,
    messages,
    `${plural(torn, 'message')} (${share(torn, messages)}) ${torn === 1 ? 'is' : 'are'} not whole: a fragment or a TCP segment of ${torn === 1 ? 'it' : 'each'} was not captured. A filter such as "port 53" leaves out all fragments but the first.`,
  )
  remark(
    cutShort,
    Math.max(1, lookups),
    `${plural(cutShort, 'lookup')} (${share(cutShort, lookups)}) got an answer that was cut for UDP (TC), and nothing of DNS over TCP was captured, as with a filter such as "udp port 53": how ${cutShort === 1 ? 'it' : 'they'} ended is not known. Capture with "port 53".`,
  )
  remark(
    cutNames,
    Math.max(1, transactions),
    `${plural(cutNames, 'query', 'queries')} had their name cut and are part of no lookup: lookups and waste are more than is shown.`,
  )
  const back = captures.reduce((n, c) => n + c.clockStepsBack, 0)
  remark(back, back * 50, `The clock stepped back ${plural(back, 'time')}: waits across these steps are wrong.`)
  const damaged = issues.filter(({ code }) => DAMAGE.has(code))
  if (damaged.length > 0)
    remarks.push({
      grade: 'fair',
      text: 'A part of the input could not be used (see Issues): what stood there is missing below.',
    })
  const interrupted = captures.filter(c => c.interrupted).length
  if (interrupted)
    remarks.push({ grade: 'good', text: 'Reading was interrupted: the report covers what was read until then.' })
  // By what is on the wire: the user's filters can leave out all that was made of it.
  if (messages > 0 && transactions === 0 && places.every(({ queries }) => queries === 0)) {
    remarks.push({
      grade: 'poor',
      text: `${plural(messages, 'DNS message')}, but not one query: only responses were captured.`,
    })
  }
  const grades: Grade[] = ['good', 'fair', 'poor']
  const grade = grades[Math.max(0, ...remarks.map(r => grades.indexOf(r.grade)))]
  return { grade, remarks: remarks.map(r => r.text) }
}

/** Messages that the snap length cut, and those of which a piece is missing though it cut nothing. */
export function cutMessages(captures: readonly Pick<Capture, 'cutMessages' | 'cutFrames'>[]): {
  cut: number
  torn: number
} {
  let cut = 0
  let torn = 0
  for (const { cutMessages, cutFrames } of captures) {
    if (cutFrames === 0) torn += cutMessages
    else cut += cutMessages
  }
  return { cut, torn }
}

/** How bad it is that a part of the whole is affected. */
const gradeOf = (part: number, whole: number): Grade =>
  part > MANY * whole ? 'poor' : part > SOME * whole ? 'fair' : 'good'

/** Of captures that hold nothing for seconds, though they are busy otherwise. */
function pauses(capture: Capture, isOneOfSeveral: boolean): Remark[] {
  const { pauses, rate } = pausesOf(capture)
  if (pauses.length === 0) return []
  const times = pauses.map(({ from, until }) => {
    const lasted = (until.seconds - from.seconds) * 1e3 + (until.nanos - from.nanos) / 1e6
    return `${duration(lasted)} from ${timeOfDay(timeText(from.seconds, from.nanos))} UTC on`
  })
  const where = isOneOfSeveral ? `${capture.file} holds nothing` : 'Nothing was captured'
  return [
    {
      grade: 'fair',
      text: `${where} for ${listed(times, pauses.length)}, where about ${count(Math.round(rate))} frames a second came otherwise: the capture paused, or the machine stood still, or nobody sent anything. What was open then may look lost or unanswered.`,
    },
  ]
}

/** What can be told all the same, and what not, of servers of which the capture holds one direction alone. */
function oneDirection({ queries, responses }: OneWay, transactions: number): Remark[] {
  const remarks: Remark[] = []
  if (queries > 0) {
    const seen =
      queries >= NEARLY_ALL * transactions
        ? 'Only queries were captured (a filter such as "dst port 53", or answers go another way), and clients went on as if they had answers.'
        : `Of ${plural(queries, 'query', 'queries')} (${share(queries, transactions)}) no answer was captured, as of all to the same servers, and clients went on as if they had answers.`
    remarks.push({
      grade: gradeOf(queries, transactions),
      text: `${seen} What was asked, and which queries only tried search domains, is told; how a lookup ended and how long it took is not known.`,
    })
  }
  if (responses > 0) {
    const seen =
      responses >= NEARLY_ALL * transactions
        ? 'Only responses were captured (a filter such as "src port 53", or queries go another way).'
        : `Of ${plural(responses, 'query', 'queries')} (${share(responses, transactions)}) only the response was captured, as of all to the same servers.`
    remarks.push({
      grade: gradeOf(responses, transactions),
      text: `${seen} What was asked, and what the answer was, is told; how long it took, and what was never answered, is not known.`,
    })
  }
  return remarks
}

/** Vantage points that show one direction only. Silence everywhere can also be what is wrong with the DNS. */
function directions(places: Place[], isDead: boolean): Remark[] {
  const queriesOnly = places.filter(p => p.queries >= ENOUGH && p.responses < HARDLY_ANY * p.queries)
  const responsesOnly = places.filter(p => p.responses >= ENOUGH && p.queries < HARDLY_ANY * p.responses)
  const queries = places.reduce((n, place) => n + place.queries, 0)
  const responses = places.reduce((n, place) => n + place.responses, 0)
  const remarks: Remark[] = []
  const gradeOfSome = (some: Place[]): Grade => (some.length === places.length ? 'poor' : 'good')
  if (queriesOnly.length > 0 && responses < HARDLY_ANY * queries)
    remarks.push({
      grade: isDead ? 'good' : 'poor',
      text: isDead
        ? 'There is not one response, and what came instead (ICMP errors, or nearly everything asked again) shows that nothing was answered where this was captured.'
        : 'There are queries and hardly any responses: either next to nothing was answered, or only one direction was captured (a filter such as "dst port 53", another way back), and then nobody can tell what failed.',
    })
  else if (queriesOnly.length > 0)
    remarks.push({
      grade: gradeOfSome(queriesOnly),
      text: `Only queries were seen at ${named(queriesOnly)}: responses took another way, or were not captured there.`,
    })
  if (responsesOnly.length > 0)
    remarks.push({
      grade: gradeOfSome(responsesOnly),
      text: `Only responses were seen at ${named(responsesOnly)}: queries took another way, or were not captured there.`,
    })
  return remarks
}

const named = (places: Place[]): string => {
  const names = places.slice(0, MOST_NAMED).map(({ name }) => name)
  return places.length > MOST_NAMED ? `${names.join(', ')} and ${places.length - MOST_NAMED} more` : names.join(', ')
}
