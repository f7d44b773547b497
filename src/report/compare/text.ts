/** The comparison for people: the verdict first, then findings, names and numbers, each with whether chance alone may explain it. */
import { type Finding, SEVERITIES } from '../../model.ts'
import { bytes, count, dateAndTime, milliseconds, plural, roughDuration, share } from '../../quantities.ts'
import type { Column } from '../columns.ts'
import { filterSentence } from '../filter.ts'
import { type TableRow, tableLines } from '../table.ts'
import { labelled, note, type Page, pageOf, pageText, textWidth, wrap } from '../text/page.ts'
import { changeShare } from '../what-if/columns.ts'
import type { ComparedSide, Comparison, FindingChange, MeasureRow, NameRow } from './types.ts'

const MOST_NAMES = 10

export function compareText(comparison: Comparison, options: { width: number; color: boolean }): string {
  const page = pageOf(options)
  return pageText([
    head(comparison, page),
    findings(comparison, page),
    names(comparison.names, page),
    measures(comparison.measures, page),
  ])
}

function head(comparison: Comparison, page: Page): string[] {
  const { before, after, remarks } = comparison
  return [
    ...labelled('Before', side(before), page),
    ...labelled('After', side(after), page),
    ...(remarks.length > 0 ? labelled('Mind', remarks, page) : []),
    ...labelled('Changed', verdict(comparison), page),
  ]
}

function side({ captures, first, seconds, lookups, lookupsPerSecond, names, filters }: ComparedSide): string[] {
  const rate = lookupsPerSecond === null ? '' : `, ${lookupsPerSecond} a second`
  return [
    `${captures.join(', ')}: ${roughDuration(seconds * 1000)}${first === null ? '' : ` from ${dateAndTime(first)}`}`,
    `${plural(lookups, 'lookup')} of ${plural(names, 'name')}${rate}`,
    ...(filters === null ? [] : [filterSentence(filters, lookups)]),
  ]
}

function verdict({ before, measures, names, findings }: Comparison): string[] {
  const changed = measures.filter(({ verdict }) => verdict === 'higher' || verdict === 'lower')
  const told = measures.filter(({ verdict }) => verdict !== 'too few')
  const of = (change: FindingChange['change']): string[] =>
    findings.filter(finding => finding.change === change).map(({ code }) => code)
  const fail = names.filter(({ verdict }) => verdict === 'lower').length
  const mended = names.length - fail
  if (measures.length === 0)
    return [
      `nothing can be compared: ${before.filters === null ? 'there is no lookup on either side' : 'no lookup of either side matches the filters'}`,
    ]
  return [
    changed.length === 0
      ? `none of ${plural(told.length, 'number')} by more than noise`
      : `${count(changed.length)} of ${plural(told.length, 'number')} by more than noise`,
    fail > 0 ? `${plural(fail, 'name')} ${fail === 1 ? 'fails' : 'fail'} more often` : '',
    mended > 0 ? `${plural(mended, 'name')} ${mended === 1 ? 'fails' : 'fail'} less often` : '',
    of('came').length > 0 ? `findings that came: ${of('came').join(', ')}` : '',
    of('went').length > 0 ? `findings that went: ${of('went').join(', ')}` : '',
  ].filter(Boolean)
}

// -- Findings ---------------------------------------------------------------------------------------------------------------------------

const COLORS = { problem: 'bad', warning: 'warn', info: 'good' } as const
const TITLES: Record<FindingChange['change'], string> = { came: 'came', went: 'went', stayed: 'stayed' }

function findings({ findings }: Comparison, page: Page): string[] {
  if (findings.length === 0) return []
  const lines = [page.paint.head('Findings')]
  for (const { change, code, before, after } of findings) {
    const { severity } = (after ?? before) as Finding
    const was =
      change === 'came' && before !== null && after !== null && SEVERITIES.indexOf(before.severity) > 0
        ? ` (was ${before.severity})`
        : ''
    lines.push(`  ${TITLES[change].padEnd(6)}  ${page.paint[COLORS[severity]](severity)}  ${code}${was}`)
    const texts =
      change === 'stayed'
        ? [`was: ${before!.what}`, `now: ${after!.what}`]
        : [(after ?? before)!.what, ...(change === 'came' && severity !== 'info' ? [`Do: ${after!.advice}`] : [])]
    for (const text of severity === 'info' && change === 'stayed' ? [] : texts)
      lines.push(...wrap(text, textWidth(page) - 4).map(line => `    ${line}`))
  }
  return lines
}

// -- Names ------------------------------------------------------------------------------------------------------------------------------

const answered = ({ lookups, answered }: NameRow['before']): string => `${count(answered)} of ${count(lookups)}`

const NAME_COLUMNS: readonly Column<NameRow>[] = [
  { key: 'name', title: 'Names', value: row => row.name, text: row => `  ${row.name}`, keep: 'tail', least: 26 },
  { key: 'before', title: 'answered before', value: row => answered(row.before), align: 'right' },
  { key: 'after', title: 'after', value: row => answered(row.after), align: 'right' },
  {
    key: 'verdict',
    title: '',
    value: row => row.verdict,
    text: row => (row.verdict === 'lower' ? 'fails more' : 'fails less'),
    color: row => (row.verdict === 'lower' ? 'bad' : 'good'),
  },
]

function names(rows: readonly NameRow[], page: Page): string[] {
  if (rows.length === 0) return []
  const shown = rows.slice(0, MOST_NAMES).map(row => ({ row }))
  const lines = tableLines(NAME_COLUMNS, shown, page.width, page.paint)
  return rows.length > MOST_NAMES ? [...lines, ...note(`and ${rows.length - MOST_NAMES} more: -o json`, page)] : lines
}

// -- Numbers ----------------------------------------------------------------------------------------------------------------------------

const TEXTS: Record<MeasureRow['unit'], (value: number | null) => string> = {
  share: value => share(value, 1),
  ms: milliseconds,
  count: value => (value === null ? '' : value.toFixed(2)),
  bytes: value => bytes(value === null ? null : Math.round(value)),
}

const VERDICT_WORDS: Record<MeasureRow['verdict'], string> = {
  higher: 'higher',
  lower: 'lower',
  noise: 'may be noise',
  'too few': 'too few to tell',
}

/** More is better of what a cache has; of all else, less. */
const isGood = ({ code, verdict }: MeasureRow): boolean => (verdict === 'higher') === code.startsWith('cache')

const MEASURE_COLUMNS: readonly Column<MeasureRow>[] = [
  {
    key: 'what',
    title: 'Numbers',
    value: row => row.what,
    text: row => `  ${row.what}${row.unit === 'ms' ? ' (ms)' : ''}`,
    keep: 'head',
  },
  {
    key: 'before',
    title: 'before',
    value: row => row.before,
    text: row => TEXTS[row.unit](row.before),
    align: 'right',
  },
  { key: 'after', title: 'after', value: row => row.after, text: row => TEXTS[row.unit](row.after), align: 'right' },
  {
    key: 'change',
    title: '',
    value: row => row.after,
    text: row => changeShare(row.before, row.after),
    align: 'right',
  },
  {
    key: 'verdict',
    title: '',
    value: row => row.verdict,
    text: row => VERDICT_WORDS[row.verdict],
    color: row => (row.verdict === 'noise' || row.verdict === 'too few' ? 'faint' : isGood(row) ? 'good' : 'bad'),
  },
  {
    key: 'samples',
    title: 'of',
    value: row => row.samplesAfter,
    text: row => `${count(row.samplesBefore)}, ${count(row.samplesAfter)}`,
    align: 'right',
    drop: 1,
  },
]

const HOW =
  'noise: what the stretches of either capture differ among themselves explains the difference. All verdicts together are wrong in one of twenty comparisons of equals. of: how many lookups, queries or hops, before and after'

function measures(measures: readonly MeasureRow[], page: Page): string[] {
  if (measures.length === 0) return []
  const rows: TableRow<MeasureRow>[] = []
  for (const group of new Set(measures.map(({ group }) => group))) {
    rows.push({ group })
    for (const row of measures.filter(row => row.group === group)) rows.push({ row })
  }
  return [...tableLines(MEASURE_COLUMNS, rows, page.width, page.paint), ...note(HOW, page)]
}
