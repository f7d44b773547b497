/** A lookup as lines in order: its candidates, under each the hops that the client asked, under these what they caused. */
import type { CandidateRecord, HopRecord } from '../record-types.ts'
import type { Shown } from './choice.ts'

export type Branch =
  | { candidate: CandidateRecord }
  | {
      hop: HopRecord
      /** Indent and branch characters. */
      prefix: string
      /** What the line above, or the candidate, already says of it. */
      above: { qname: string | null; qtype: string | null }
    }

/** Deeper than any cluster forwards; ends loops of broken captures. */
const DEEPEST = 16

export function branches({ lookup, hops }: Shown): Branch[] {
  const byId = new Map(hops.map(hop => [hop.id, hop]))
  const children = new Map<string, HopRecord[]>()
  for (const hop of byId.values()) {
    // One that several caused is drawn once, under the first of this lookup.
    const cause = hop.causedBy.find(id => byId.has(id))
    if (cause !== undefined) children.set(cause, [...(children.get(cause) ?? []), hop])
  }
  const lines: Branch[] = []
  const drawn = new Set<HopRecord>()
  const draw = (
    hop: HopRecord,
    prefix: string,
    indent: string,
    above: { qname: string | null; qtype: string | null },
  ) => {
    drawn.add(hop)
    lines.push({ hop, prefix, above })
    const caused = (children.get(hop.id) ?? []).filter(child => !drawn.has(child)).sort(byStart)
    if (indent.length > DEEPEST * 3) return
    caused.forEach((child, i) => {
      const last = i === caused.length - 1
      draw(child, `${indent}${last ? '└─ ' : '├─ '}`, indent + (last ? '   ' : '│  '), hop)
    })
  }
  for (const candidate of lookup.candidates) {
    lines.push({ candidate })
    for (const id of candidate.hops) {
      const hop = byId.get(id)
      if (hop && !drawn.has(hop)) draw(hop, '  ', '  ', { qname: candidate.name, qtype: null })
    }
  }
  // What hangs on nothing that is here is shown all the same.
  const loose = [...byId.values()].filter(hop => !drawn.has(hop)).sort(byStart)
  for (const hop of loose) if (!drawn.has(hop)) draw(hop, '  ', '  ', { qname: null, qtype: null })
  return lines
}

/** RFC 3339 with the same number of digits sorts as text. */
const byStart = (a: HopRecord, b: HopRecord) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0)

/** Milliseconds from one RFC 3339 time to another, with all the nanoseconds. */
export function millisecondsBetween(from: string, to: string): number {
  const seconds = Date.parse(`${to.slice(0, 19)}Z`) - Date.parse(`${from.slice(0, 19)}Z`)
  return seconds + (nanosOf(to) - nanosOf(from)) / 1e6
}

const nanosOf = (time: string): number => Number(/\.(\d{1,9})/.exec(time)?.[1].padEnd(9, '0') ?? 0)
