/** The story: inputs -> messages -> transactions -> lookups -> paths -> findings -> report. A stub until trace is there. */
import { type HopRecord, type LookupRecord, type MessageRecord, type Report, type Role, UserError } from './model.ts'

export interface Options {
  files: string[]
  filters: {
    namespace: string | null
    pod: string | null
    name: string | null
    since: string | null
    until: string | null
  }
  hints: {
    /** Path. */
    resources: string | null
    roles: { role: Role; addresses: string[] }[]
    /** Path. */
    resolvConf: string | null
    clusterDomain: string | null
  }
  signal?: AbortSignal
  onProgress?: (bytes: number, total: number | null) => void
}

export async function analyze(
  _options: Options,
  _sinks?: { lookup?: (record: LookupRecord) => void; hop?: (record: HopRecord) => void },
): Promise<Report> {
  throw new UserError('nothing can be analysed yet.')
}

export async function messages(_options: Options, _sink: (record: MessageRecord) => void): Promise<Report['captures']> {
  throw new UserError('nothing can be read yet.')
}
