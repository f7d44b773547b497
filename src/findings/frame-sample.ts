/** A handful of frames that show a finding, chosen so that most of them can be opened in one file. */
import { type Finding, type FrameRef, NONE } from '../model.ts'
import { rootOf } from '../trace/causes.ts'
import type { Transaction } from '../trace/transaction.ts'

/** A display filter of more numbers nobody pastes, and ten examples convince. */
const MOST = 10
/** More than there are places. */
const PLACES = 16

/** Remembers the first transactions that showed something: of each, its first frame in every file. */
export class FrameSample {
  /** File and place of the transaction, frame; and again. There is a sample for every name and client, so it takes little. */
  private shown: number[] | null = null
  private count = 0
  /** Number of the first lookup that shows it; 0 while none is known. */
  lookup = 0

  /** False where there are enough. */
  add(t: Transaction): boolean {
    if (this.count >= MOST) return false
    const { frames } = t
    for (let i = 0; i < frames.length; i += 2) if (isFirstOfFile(frames, i)) this.note(frames[i], frames[i + 1])
    this.count++
    if (this.lookup === 0) this.lookup = lookupOf(t)
    return true
  }

  /** File, frame, file, frame ... */
  addFrames(frames: readonly number[]): void {
    for (let i = 0; i < frames.length && this.count < MOST; i += 2) {
      this.note(frames[i], frames[i + 1])
      this.count++
    }
  }

  addAll(other: FrameSample): void {
    const room = MOST - this.count
    const before = this.count
    const { shown } = other
    if (this.lookup === 0) this.lookup = other.lookup
    if (shown === null) return
    for (let i = 0; i < shown.length && shown[i] % PLACES < room; i += 2) {
      this.count = before + (shown[i] % PLACES)
      this.note(Math.floor(shown[i] / PLACES), shown[i + 1])
    }
    this.count = before + Math.min(room, other.count)
  }

  /** Takes what `onlyFrame` gave. */
  addOnly(frame: number): void {
    this.addFrames([Math.floor(frame / FILE), frame % FILE])
  }

  private note(file: number, frame: number): void {
    const at = file * PLACES + this.count
    // An array that is pushed to takes room for seventeen.
    this.shown = this.shown === null ? [at, frame] : this.shown.concat(at, frame)
  }

  /** One frame of each; where there is a choice, in the file that shows most of them. */
  refs(files: readonly string[]): FrameRef[] {
    const shown = Array.from({ length: this.count }, () => new Map<number, number>())
    for (let i = 0; this.shown !== null && i < this.shown.length; i += 2)
      shown[this.shown[i] % PLACES].set(Math.floor(this.shown[i] / PLACES), this.shown[i + 1])
    const seenIn = new Map<number, number>()
    for (const firsts of shown) for (const file of firsts.keys()) seenIn.set(file, (seenIn.get(file) ?? 0) + 1)
    const order = [...seenIn].sort((a, b) => b[1] - a[1] || a[0] - b[0]).map(([file]) => file)
    const refs = shown.flatMap(firsts => {
      const file = order.find(file => firsts.has(file))
      return file === undefined ? [] : [{ file: files[file], number: firsts.get(file) as number }]
    })
    return refs
      .filter((ref, i) => refs.findIndex(x => x.file === ref.file && x.number === ref.number) === i)
      .sort((a, b) => files.indexOf(a.file) - files.indexOf(b.file) || a.number - b.number)
  }
}

/** The lookup that a transaction belongs to, or that caused it; 0 without. */
const lookupOf = (t: Transaction): number => Math.max(0, rootOf(t).lookup)

function isFirstOfFile(frames: readonly number[], at: number): boolean {
  for (let i = 0; i < at; i += 2) if (frames[i] === frames[at]) return false
  return true
}

/** File and frame as one number; never 0. */
const FILE = 0x1_0000_0000

/** The first frame of a transaction as one number, where there are many to be remembered; NONE where several files show it. */
export function onlyFrame(t: Transaction): number {
  const { frames } = t
  return t.otherFile(frames[0]) === NONE ? frames[0] * FILE + frames[1] : NONE
}

/** For each file one Wireshark display filter. */
export function displayFilters(frames: readonly FrameRef[]): Finding['filters'] {
  const byFile = new Map<string, number[]>()
  for (const { file, number } of frames) byFile.set(file, [...(byFile.get(file) ?? []), number])
  return [...byFile].map(([file, numbers]) => ({ file, filter: `frame.number in {${numbers.join(', ')}}` }))
}
