/** Remarks on what the user gave: captures that could not be read, or that are without a frame; roles that the packets contradict. */
import type { Capture } from '../model.ts'
import type { Trace } from '../trace/trace.ts'
import type { Remark } from './flow-remarks.ts'
import type { RecordContext } from './records.ts'

type Input = Pick<Capture, 'file' | 'frames' | 'lines' | 'failure' | 'interrupted'>

export function inputRemarks(captures: readonly Input[]): Remark[] {
  const read = captures.filter(({ failure }) => failure === null)
  const empty = read.filter(({ frames, interrupted }) => frames === 0 && !interrupted)
  return [
    ...captures.flatMap(({ failure }): Remark[] =>
      failure === null ? [] : [{ grade: 'fair', text: leftOut(failure) }],
    ),
    ...(empty.length > 0 && empty.length === read.length
      ? [
          {
            grade: 'poor' as const,
            text: `There is not one ${unit(empty[0])} in the ${empty.length === 1 ? 'capture' : 'captures'}: nothing passed while it was captured, or its filter left out all that did.`,
          },
        ]
      : empty.map(capture => ({
          grade: 'good' as const,
          text: `There is not one ${unit(capture)} in ${capture.file}.`,
        }))),
  ]
}

/** Of an input that could not be read, by the sentence that says why. */
export const leftOut = (failure: string): string => `Left out: ${failure}`

const unit = ({ lines }: Input): string => (lines === null ? 'frame' : 'line')

/** What the user says and the packets contradict: everything that stands on it below is in doubt. */
export const contradictionRemarks = (trace: Trace, { tables }: RecordContext): Remark[] =>
  trace.endpoints.contradictions.map(({ address, given, but }) => ({
    grade: 'fair',
    text: `${tables.addresses.text(address)} was given as ${given}, but it ${but}: check --role and --resources.`,
  }))
