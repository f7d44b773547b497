/** One lookup looked at closely: picked out of all while the captures are read, its messages fetched by reading them once more. */
import { analyze, messages, type Options } from './analyze.ts'
import { UserError } from './model.ts'
import { NO_FILTERS } from './report/filter.ts'
import type { Report } from './report/report-types.ts'
import { type Choice, choice, type Shown } from './report/show/choice.ts'
import { type CapturedMessage, hopOf } from './report/show/messages.ts'

export interface LookedAt {
  shown: Shown
  /** In the order of their times; null where nobody asked for them. */
  captured: CapturedMessage[] | null
  report: Report
}

/**
 * Finds the lookup by its id or name and collects its hops, in memory that depends on this lookup alone. Ids are the same in every run
 * over the same files with the same options. Throws a UserError where there is no such lookup.
 */
export async function show(options: Options, wanted: string, verbose: boolean): Promise<LookedAt> {
  if (verbose && options.files.includes('-'))
    throw new UserError('--verbose reads the captures twice, and standard input can be read only once; give files.')
  const { lookup, hop, chosen }: Choice = choice(wanted)
  const report = await analyze(options, { lookup, hop })
  const shown = chosen()
  return { shown, captured: verbose ? await bytesOf(shown, options) : null, report }
}

async function bytesOf({ hops }: Shown, { signal: _, ...options }: Options): Promise<CapturedMessage[]> {
  const frames = new Set(hops.flatMap(({ frames }) => frames.map(({ file, number }) => `${number} ${file}`)))
  const owner = hopOf(hops)
  const captured: CapturedMessage[] = []
  // A lookup's messages ask for other names than it does.
  await messages(
    { ...options, filters: NO_FILTERS },
    (record, m, i) => {
      if (owner(record) === null) return
      // A copy, since the block is used again for the next messages.
      captured.push({ record, bytes: Uint8Array.from(m.bytes.subarray(m.start[i], m.start[i] + m.bytesLength[i])) })
    },
    (file, frame) => frames.has(`${frame} ${file}`),
    true,
  )
  return captured
}
