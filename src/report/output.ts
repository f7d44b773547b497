/** The forms in which a report or records can be written. */

export const OUTPUTS = ['text', 'json', 'ndjson', 'csv'] as const
export type Output = (typeof OUTPUTS)[number]
