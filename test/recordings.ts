/** Our own recordings, where their folder stands beside the project, and the whole analysis of some of their files. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { analyze, type Options } from '../src/analyze.ts'
import type { HopRecord, LookupRecord } from '../src/report/record-types.ts'
import type { Report } from '../src/report/report-types.ts'

export const SHARED = fileURLToPath(new URL('../../shared/', import.meta.url))
export const RECORDINGS = join(SHARED, 'captures')

/** Their names, none without the folder. */
export const scenarios = existsSync(RECORDINGS) ? readdirSync(RECORDINGS).filter(name => /^\d\d-/.test(name)) : []

/** Analysing a recording of a minute takes seconds on a busy machine. */
export const PATIENCE = 120_000

export interface Analysis {
  report: Report
  lookups: LookupRecord[]
  hops: HopRecord[]
}

export async function run(files: string[], hints: Partial<Options['hints']> = {}): Promise<Analysis> {
  const lookups: LookupRecord[] = []
  const hops: HopRecord[] = []
  const report = await analyze(
    {
      files,
      filters: { namespace: null, pod: null, name: null, since: null, until: null },
      hints: { resources: null, roles: [], resolvConf: null, clusterDomain: null, ...hints },
    },
    { lookup: record => lookups.push(record), hop: record => hops.push(record) },
  )
  return { report, lookups, hops }
}

/** The captures of a scenario that `pattern` names, with their paths. */
export const capturesOf = (scenario: string, pattern: RegExp): string[] =>
  readdirSync(join(RECORDINGS, scenario))
    .filter(file => pattern.test(file))
    .map(file => join(RECORDINGS, scenario, file))

/** All of a scenario that was captured whole: every node, pod and upstream once. */
export const EVERYWHERE = /^(node-.-any|pod-.*-eth0|upstream-.*)\.pcap(ng)?$/

/** The nodes of a scenario. */
export const NODES = /^node-.-any\.pcap(ng)?$/

// biome-ignore lint/suspicious/noExplicitAny: what a recording tells of itself is as it is.
export const toldIn = (scenario: string, file: string): any =>
  JSON.parse(readFileSync(join(RECORDINGS, scenario, file), 'utf8'))
