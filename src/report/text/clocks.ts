/** How the clocks of several captures stand to each other: what was corrected, what agrees, and what nobody can know. */
import { duration, plural, timeOfDay } from '../../quantities.ts'
import type { Report } from '../report-types.ts'

/** More file names than this say nothing on one line. */
const MOST_FILES = 3

/** One sentence each; none where there is one capture. */
export function clockSentences(captures: Report['captures']): string[] {
  const sentences: string[] = []
  const bases = captures.map(({ file }) => baseName(file))
  const nameOf = new Set(bases).size === bases.length ? baseName : (file: string) => file
  const agreeing = captures.filter(({ clock }) => clock?.reference && !clock.corrected)
  if (agreeing.length > 0) {
    const { reference } = agreeing[0]!.clock!
    const within = Math.max(
      ...agreeing.map(({ clock }) => Math.abs(clock!.offsetMs ?? 0) + (clock!.uncertaintyMs ?? 0)),
    )
    const files = list(agreeing.map(({ file }) => nameOf(file)))
    const agree = agreeing.length === 1 ? 'agrees' : 'agree'
    sentences.push(`Clocks: ${files} ${agree} with ${nameOf(reference ?? '')} within ${duration(within)}`)
  }
  for (const { file, clock } of captures)
    if (clock?.corrected) sentences.push(corrected(nameOf(file), nameOf(clock.reference ?? ''), clock))
  for (const { file, clock } of captures) for (const step of clock?.steps ?? []) sentences.push(set(nameOf(file), step))
  for (const said of new Set(captures.flatMap(({ clock }) => clock?.note ?? []))) {
    const files = captures.filter(({ clock }) => clock?.note === said).map(({ file }) => nameOf(file))
    sentences.push(`Clock of ${list(files)}: ${said}`)
  }
  return sentences
}

function corrected(name: string, reference: string, clock: NonNullable<Report['captures'][number]['clock']>): string {
  const { offsetMs, uncertaintyMs, driftPpm, driftUncertaintyPpm, transactions } = clock
  const side = (offsetMs ?? 0) < 0 ? 'behind' : 'ahead of'
  const offset = `${precise(Math.abs(offsetMs ?? 0))} (±${duration(uncertaintyMs)}) ${side} ${reference}'s`
  const drift =
    driftPpm === null
      ? ', drift not known'
      : `, ${driftPpm < 0 ? 'losing' : 'gaining'} ${Math.abs(driftPpm).toFixed(1)} (±${driftUncertaintyPpm?.toFixed(1)}) ppm`
  const seen = plural(transactions, 'transaction')
  return `Clock of ${name}: ${offset}${drift}; corrected, from ${seen} seen at both`
}

/** What crosses the moment has its true wait again; without that it would be off by as much as the clock was set. */
function set(name: string, { time, ms }: NonNullable<Report['captures'][number]['clock']>['steps'][number]): string {
  const way = ms < 0 ? 'back' : 'forward'
  return `Clock of ${name}: set ${way} by ${precise(Math.abs(ms))} when it read ${timeOfDay(time)}; taken back in all times below`
}

/** An offset with its microseconds: 37.012 ms. */
const precise = (ms: number): string => (ms < 1000 ? `${ms.toFixed(3)} ms` : `${(ms / 1000).toFixed(6)} s`)

const baseName = (file: string): string => (file === '-' ? 'standard input' : file.slice(file.lastIndexOf('/') + 1))

function list(names: string[]): string {
  if (names.length <= MOST_FILES) return names.join(', ')
  return `${names.slice(0, MOST_FILES - 1).join(', ')} and ${names.length - MOST_FILES + 1} more`
}
