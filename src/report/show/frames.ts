/** Frames as numbers to look up, and as filters to paste into Wireshark. */
import type { FrameRef } from '../../model.ts'

/** Where a hop begins and ends in the first file that shows it: "31-34", and "node-a.pcap 31-34" where there are several files. */
export function frameSpan(frames: readonly FrameRef[], severalFiles: boolean): string {
  const [first] = [...byFile(frames)]
  if (first === undefined) return ''
  return severalFiles ? `${first[0]} ${span(first[1])}` : span(first[1])
}

/** The same in every file: "node-a.pcap 31-34, node-b.pcap 17-20". */
export function frameSpans(frames: readonly FrameRef[], severalFiles: boolean): string {
  return [...byFile(frames)]
    .map(([file, numbers]) => (severalFiles ? `${file} ${span(numbers)}` : span(numbers)))
    .join(', ')
}

/** All of them: "node-a.pcap 31, 32, 34; node-b.pcap 17". */
export function frameList(frames: readonly FrameRef[], severalFiles: boolean): string {
  return [...byFile(frames)]
    .map(([file, numbers]) => `${severalFiles ? `${file} ` : ''}${[...numbers].join(', ')}`)
    .join('; ')
}

function span(numbers: Set<number>): string {
  const first = Math.min(...numbers)
  const last = Math.max(...numbers)
  return last > first ? `${first}-${last}` : String(first)
}

/** For each file one display filter. Wireshark 4 wants commas, and takes ranges. */
export function displayFilters(frames: readonly FrameRef[]): { file: string; filter: string }[] {
  return [...byFile(frames)].map(([file, numbers]) => ({ file, filter: `frame.number in {${ranges([...numbers])}}` }))
}

function byFile(frames: readonly FrameRef[]): Map<string, Set<number>> {
  const files = new Map<string, Set<number>>()
  for (const { file, number } of frames) files.set(file, (files.get(file) ?? new Set()).add(number))
  return files
}

function ranges(numbers: number[]): string {
  const runs: [first: number, last: number][] = []
  for (const number of numbers.sort((a, b) => a - b)) {
    const run = runs.at(-1)
    if (run && run[1] === number - 1) run[1] = number
    else runs.push([number, number])
  }
  return runs.map(([first, last]) => (first === last ? String(first) : `${first}..${last}`)).join(', ')
}
