/** What the user's filters leave, beside what was captured: all numbers below are of that. */
import type { FilterRecord } from '../../model.ts'
import { filterSentence } from '../filter.ts'
import { labelled, type Page } from './page.ts'

export function filterLine(filters: FilterRecord | null, lookups: number, page: Page): string[] {
  return filters === null ? [] : labelled('Filter', [filterSentence(filters, lookups)], page)
}
