/** One lookup for programs: `dnstrail show -o json`. */
import type { HopRecord, LookupRecord, MessageRecord } from '../record-types.ts'
import type { Shown } from './choice.ts'
import { type CapturedMessage, hopOf } from './messages.ts'

export interface ShowRecord {
  lookup: LookupRecord
  /** In order of start. */
  hops: HopRecord[]
  /** Only with --verbose: in order of time, sightings not merged. */
  messages?: {
    /** Id of its hop. */
    hop: string | null
    message: MessageRecord
    /** The message in hex; null where the input has no bytes. */
    bytes: string | null
  }[]
}

export function showRecord({ lookup, hops }: Shown, captured: readonly CapturedMessage[] | null): ShowRecord {
  if (captured === null) return { lookup, hops }
  const owner = hopOf(hops)
  return {
    lookup,
    hops,
    messages: captured.map(({ record, bytes }) => ({
      hop: owner(record)?.id ?? null,
      message: record,
      bytes: bytes.length === 0 ? null : Buffer.from(bytes).toString('hex'),
    })),
  }
}
