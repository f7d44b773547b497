/** One lookup for people: what is known of it, its waterfall, the frames to open, and its messages where they are wanted. */
import { labelled, type Page, pageOf, pageText } from '../text/page.ts'
import type { Shown } from './choice.ts'
import { displayFilters } from './frames.ts'
import { head } from './head.ts'
import { type CapturedMessage, messages } from './messages.ts'
import { waterfall } from './waterfall.ts'

/**
 * `captured` are the messages of its frames in the order of their times; null where nobody asked for them. `wireshark` is false where
 * the frames are lines of a flow log.
 */
export function showText(
  shown: Shown,
  captured: readonly CapturedMessage[] | null,
  options: { width: number; color: boolean; wireshark?: boolean },
): string {
  const page = pageOf(options)
  return pageText([
    head(shown, page),
    waterfall(shown, page),
    captured === null ? [] : messages(shown, captured, page),
    options.wireshark === false ? [] : wireshark(shown, page),
  ])
}

function wireshark({ hops }: Shown, page: Page): string[] {
  const filters = displayFilters(hops.flatMap(({ frames }) => frames))
  const sentences = filters.map(({ file, filter }) => (filters.length > 1 ? `${file}: ${filter}` : filter))
  return labelled('Wireshark', sentences, page)
}
