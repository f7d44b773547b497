/** What each command does: it asks for what the user wants, and writes what comes of it. Whatever is heavy is loaded when it is needed. */
import { existsSync } from 'node:fs'
import type { Options } from './analyze.ts'
import type { ComparedFiles } from './arguments.ts'
import { type Finding, UserError } from './model.ts'
import { plural } from './quantities.ts'
import type { Column } from './report/columns.ts'
import { chosenLookups, isSelective, type LookupChoice, lookupChoice } from './report/lookup-choice.ts'
import { LOOKUP_COLUMNS } from './report/lookup-columns.ts'
import type { HopRecord, LookupRecord, MessageRecord } from './report/record-types.ts'
import type { Report } from './report/report-types.ts'
import type { Watched } from './report/screen.ts'
import { FOUND, type Run } from './run.ts'
import { batched } from './streams.ts'
import { FullScreen } from './terminal.ts'
import type { Change } from './trace/change.ts'

/** Who watches wants each line when it is known: all that one chunk of the capture brought leaves at once. */
const AT_ONCE_MS = 0
const DRAW_EVERY_MS = 1000
/** Where nothing else is said: a terminal that can only print lines. */
const USUAL_SPAN_MS = 10_000

// -- One object -------------------------------------------------------------------------------------------------------------

export async function report(run: Run, files: string[]): Promise<void> {
  if (run.flags.output === 'csv')
    throw new UserError('the report comes as text, json or ndjson; csv is for lookups, hops and messages.')
  const progress = run.progress()
  const options = run.options(files, progress)
  const choice = await findingChoice(run)
  const { analyze } = await import('./analyze.ts')
  await print(run, await analyze(options).finally(progress.erase), choice)
}

/** Prints a report with the chosen findings, and lets these decide the exit status. */
async function print(run: Run, whole: Report, { chosen, judge }: FindingChoice): Promise<void> {
  const report = { ...whole, findings: chosen(whole.findings) }
  judge(report.findings)
  run.complainOfLeftOut(report.captures)
  await run.write(report, async (report, page) => (await import('./report/text.ts')).reportText(report, page))
}

interface FindingChoice {
  chosen: (all: Finding[]) => Finding[]
  judge: (these: Finding[]) => void
}

/** The findings that the user wants, and what they make of the exit status. Refuses a wrong choice before anything is read. */
async function findingChoice(run: Run): Promise<FindingChoice> {
  const { findings, ignore, failOn } = run.flags
  const { checkChoice, chosen, fails } = await import('./findings/choose.ts')
  const choice = { only: findings ?? null, ignore: ignore ?? [], failOn: failOn ?? [] }
  checkChoice(choice)
  return {
    chosen: all => chosen(all, choice),
    judge: these => {
      if (fails(these, choice)) run.status = FOUND
    },
  }
}

/** The last argument is the lookup; a capture in its place was meant as a capture. */
export async function show(run: Run, all: string[], verbose: boolean): Promise<void> {
  const files = all.slice(0, -1)
  const wanted = all.at(-1)!
  if (files.length === 0 && run.streams.stdin.isTTY && !existsSync(wanted))
    throw new UserError(`captures are missing: dnstrail show CAPTURE... ${wanted}`)
  if (existsSync(wanted))
    throw new UserError('show wants captures and then a lookup: its id, as "dnstrail lookups" prints it, or a name.')
  if (run.flags.output === 'csv') throw new UserError('a lookup is shown as text, json or ndjson.')
  const progress = run.progress()
  const looking = await import('./show.ts')
  const { shown, captured, report } = await looking
    .show(run.options(files, progress), wanted, verbose)
    .finally(progress.erase)
  const { showRecord } = await import('./report/show/record.ts')
  await run.write(showRecord(shown, captured), async (_, page) => {
    const { showText } = await import('./report/show/text.ts')
    const wireshark = report.captures.some(({ lines, failure }) => lines === null && failure === null)
    return showText(shown, captured, { ...page, wireshark })
  })
  run.complainOfIssues(report)
}

export async function whatIf(run: Run, files: string[], change: Partial<Change>): Promise<void> {
  const progress = run.progress()
  const [walking, { NO_CHANGE }] = await Promise.all([import('./what-if.ts'), import('./trace/change.ts')])
  const { whatIf, report } = await walking
    .whatIf(run.options(files, progress), { ...NO_CHANGE, ...change })
    .finally(progress.erase)
  if (run.flags.output === 'csv') {
    const [{ csvHead, csvRow }, { WHAT_IF_COLUMNS }] = await Promise.all([
      import('./report/csv.ts'),
      import('./report/what-if/columns.ts'),
    ])
    const rows = whatIf.workloads.map(row => csvRow(WHAT_IF_COLUMNS, row))
    run.streams.stdout.write(csvHead(WHAT_IF_COLUMNS) + rows.join(''))
  } else {
    await run.write(whatIf, async (whatIf, page) => (await import('./report/what-if/text.ts')).whatIfText(whatIf, page))
  }
  run.complainOfIssues(report)
}

/** --fail-on works on what is new: findings that came, or became worse. */
export async function compare(run: Run, { before, after }: ComparedFiles): Promise<void> {
  if (run.flags.output === 'csv') throw new UserError('a comparison comes as text, json or ndjson.')
  const { chosen, judge } = await findingChoice(run)
  const progress = run.progress()
  const [comparing, { cameIn }] = await Promise.all([import('./compare.ts'), import('./report/compare/record.ts')])
  const { comparison, reports } = await comparing
    .compare(run.options(before, progress), run.options(after, progress), chosen)
    .finally(progress.erase)
  judge(cameIn(comparison))
  await run.write(comparison, async (comparison, page) =>
    (await import('./report/compare/text.ts')).compareText(comparison, page),
  )
  for (const report of reports) run.complainOfIssues(report)
}

export async function explain(run: Run, code: string | undefined): Promise<void> {
  const [{ RULES }, { explainList, explainText }, { paint }] = await Promise.all([
    import('./findings/rules.ts'),
    import('./report/explain.ts'),
    import('./report/paint.ts'),
  ])
  const { width, color } = run.page
  const page = { width, paint: paint(color) }
  const rule = RULES.find(rule => rule.code === code)
  if (code !== undefined && rule === undefined)
    throw new UserError(`there is no finding "${code}"; "dnstrail explain" lists them all.`)
  run.streams.stdout.write(rule ? explainText(rule, page) : explainList(RULES, page))
}

// -- Records as they come ---------------------------------------------------------------------------------------------------

export async function lookups(run: Run, files: string[], given: Partial<LookupChoice>): Promise<void> {
  const choice = lookupChoice(given)
  const read = async (options: Options, sink: (record: LookupRecord) => void) => {
    const { analyze } = await import('./analyze.ts')
    const chosen = chosenLookups(choice, sink)
    const report = await analyze(options, { lookup: chosen.add })
    chosen.end()
    return () => run.complainOfIssues(report)
  }
  await writeRecords(run, { noun: 'lookup', columns: LOOKUP_COLUMNS, files, selective: isSelective(choice), read })
}

export async function hops(run: Run, files: string[]): Promise<void> {
  const { HOP_COLUMNS } = await import('./report/hop-columns.ts')
  const read = async (options: Options, hop: (record: HopRecord) => void) => {
    const { analyze } = await import('./analyze.ts')
    const report = await analyze(options, { hop })
    return () => run.complainOfIssues(report)
  }
  await writeRecords(run, { noun: 'hop', columns: HOP_COLUMNS, files, read })
}

export async function messages(run: Run, files: string[]): Promise<void> {
  const { MESSAGE_COLUMNS } = await import('./report/message-columns.ts')
  const read = async (options: Options, message: (record: MessageRecord) => void) => {
    const analysis = await import('./analyze.ts')
    const captures = await analysis.messages(options, message)
    return () => {
      run.complainOfLeftOut(captures)
      for (const { file, issueFrames } of captures)
        if (issueFrames > 0) run.complain(`${file}: ${plural(issueFrames, 'frame')} could not be read.`)
    }
  }
  await writeRecords(run, { noun: 'message', columns: MESSAGE_COLUMNS, files, read })
}

interface Records<Row> {
  noun: string
  columns: readonly Column<Row>[]
  files: string[]
  /** Options of the command's own leave some out. */
  selective?: boolean
  /** Gives back what says what was wrong with the captures. */
  read: (options: Options, sink: (record: Row) => void) => Promise<() => void>
}

/** Writes records as they come; what was wrong with the capture is said on stderr, since no report says it. */
async function writeRecords<Row>(
  run: Run,
  { noun, columns, files, selective = false, read }: Records<Row>,
): Promise<void> {
  const { recordsFormat } = await import('./report/records-format.ts')
  const { stdout } = run.streams
  const { output } = run.flags
  const progress = run.progress(!stdout.isTTY)
  const options = run.options(files, progress)
  const { width, color } = run.page
  const format = recordsFormat(output, columns, { width: stdout.isTTY ? width : null, color })
  const out = batched(stdout)
  let records = 0
  let begun = false
  const begin = () => {
    if (!begun) out.write(format.before)
    begun = true
  }
  const complainOfIssues = await read(options, record => {
    begin()
    out.write(format.record(record, records++))
  }).finally(() => {
    progress.erase()
    out.flush()
  })
  // Only now, so that a capture that cannot be read prints nothing on stdout.
  begin()
  out.write(format.after(records))
  out.flush()
  complainOfIssues()
  if (records === 0 && output === 'text') {
    const filtered = selective || Object.values(options.filters).some(filter => filter !== null)
    run.complain(filtered ? `no ${noun} matches the filters.` : `there is no ${noun} in the capture.`)
  }
}

// -- While it is captured ---------------------------------------------------------------------------------------------------

/** On a terminal a screen, else a line per lookup; with `every` (milliseconds) a short report per span. */
export async function watch(run: Run, files: string[], every: number | undefined): Promise<void> {
  const { output } = run.flags
  const { stdout, env } = run.streams
  if (output === 'json' || output === 'csv') throw new UserError('what is watched comes as text or ndjson.')
  const options = run.options(files, run.progress(false))
  const choice = await findingChoice(run)
  const asRecords = output === 'ndjson' || (every === undefined && !stdout.isTTY && !run.isGiven('output'))
  const watching = await import('./watch.ts')
  const { jsonLine } = await import('./report/json.ts')
  const out = batched(stdout, AT_ONCE_MS)
  if (every === undefined && stdout.isTTY && env.TERM !== 'dumb' && !asRecords) {
    await print(run, await onScreen(run, watching.watch(options), options), choice)
  } else if (asRecords) {
    const line = (record: object) => out.write(`${jsonLine(record)}\n`)
    const reading =
      every === undefined ? watching.watchLookups(options, line) : watching.watchIntervals(options, every / 1000, line)
    const report = await reading.finally(out.flush)
    choice.judge(choice.chosen(report.findings))
    run.complainOfIssues(report)
  } else {
    const { glanceText } = await import('./report/text/glance.ts')
    const { page } = run
    const seconds = (every ?? USUAL_SPAN_MS) / 1000
    const report = await watching
      .watchIntervals(options, seconds, glance => out.write(glanceText(glance, page)))
      .finally(out.flush)
    stdout.write('\n')
    await print(run, report, choice)
  }
}

/** Draws what is seen until the input ends or Ctrl-C, and leaves the terminal as it was. */
async function onScreen(
  run: Run,
  { look, report }: { look: () => Watched; report: Promise<Report> },
  { signal }: Options,
): Promise<Report> {
  const { screenLines } = await import('./report/screen.ts')
  const { stdout, onLeave } = run.streams
  const screen = new FullScreen(stdout)
  const { color } = run.page
  const draw = (): void => screen.draw(screenLines(look(), { ...screen.size, color }))
  const timer = setInterval(draw, DRAW_EVERY_MS)
  const end = (): void => {
    clearInterval(timer)
    stdout.off?.('resize', draw)
    screen.leave()
  }
  stdout.on?.('resize', draw)
  signal?.addEventListener('abort', end)
  const forget = onLeave?.(screen.leave, draw)
  return report.finally(() => {
    end()
    forget?.()
  })
}
