/** A handful of frames that show a finding, chosen so that most of them can be opened in one file. */
import type { Finding, FrameRef } from '../model.ts'
import type { Transaction } from '../trace/transaction.ts'

/** A display filter of more numbers nobody pastes, and ten examples convince. */
const MOST = 10

/** Remembers the first transactions that showed something: of each, its first frame in every file. */
export class FrameSample {
  private readonly shown: Map<number, number>[] = []

  /** False where there are enough. */
  add(t: Transaction): boolean {
    if (this.shown.length >= MOST) return false
    const firsts = new Map<number, number>()
    const { frames } = t
    for (let i = 0; i < frames.length; i += 2) if (!firsts.has(frames[i])) firsts.set(frames[i], frames[i + 1])
    this.shown.push(firsts)
    return true
  }

  /** File, frame, file, frame ... */
  addFrames(frames: readonly number[]): void {
    for (let i = 0; i < frames.length && this.shown.length < MOST; i += 2)
      this.shown.push(new Map([[frames[i], frames[i + 1]]]))
  }

  addAll(other: FrameSample): void {
    for (const firsts of other.shown) if (this.shown.length < MOST) this.shown.push(firsts)
  }

  /** One frame of each; where there is a choice, in the file that shows most of them. */
  refs(files: readonly string[]): FrameRef[] {
    const seenIn = new Map<number, number>()
    for (const firsts of this.shown) for (const file of firsts.keys()) seenIn.set(file, (seenIn.get(file) ?? 0) + 1)
    const order = [...seenIn].sort((a, b) => b[1] - a[1] || a[0] - b[0]).map(([file]) => file)
    const refs = this.shown.flatMap(firsts => {
      const file = order.find(file => firsts.has(file))
      return file === undefined ? [] : [{ file: files[file], number: firsts.get(file) as number }]
    })
    return refs
      .filter((ref, i) => refs.findIndex(x => x.file === ref.file && x.number === ref.number) === i)
      .sort((a, b) => files.indexOf(a.file) - files.indexOf(b.file) || a.number - b.number)
  }
}

/** For each file one Wireshark display filter. */
export function displayFilters(frames: readonly FrameRef[]): Finding['filters'] {
  const byFile = new Map<string, number[]>()
  for (const { file, number } of frames) byFile.set(file, [...(byFile.get(file) ?? []), number])
  return [...byFile].map(([file, numbers]) => ({ file, filter: `frame.number in {${numbers.join(', ')}}` }))
}
