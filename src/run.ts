/** One run of the command, made once: what the user wants of it, where it writes, and the status that the process will end with. */
import type { Command } from 'commander'
import type { Options } from './analyze.ts'
import type { Flags } from './arguments.ts'
import { UserError } from './model.ts'
import { plural } from './quantities.ts'
import { escapeText } from './report/escape.ts'
import { leftOut } from './report/input-remarks.ts'
import type { Report } from './report/report-types.ts'
import { colorful, complain, type Progress, progressLine, type Streams, screenWidth } from './streams.ts'

export const ANALYSED = 0
export const FOUND = 1
export const COULD_NOT_ANALYSE = 2

export class Run {
  readonly streams: Streams
  status = ANALYSED
  private readonly root: Command

  constructor(root: Command, streams: Streams) {
    this.root = root
    this.streams = streams
  }

  /** To be asked once the arguments are read. */
  get flags(): Flags {
    return this.root.opts<Flags>()
  }

  /** Said by the user, not by default. */
  isGiven(flag: string): boolean {
    return this.root.getOptionValueSource(flag) === 'cli'
  }

  /** What text is written for. */
  get page(): { width: number; color: boolean } {
    return { width: screenWidth(this.streams), color: colorful(this.streams, this.flags.color) }
  }

  /** Writes what is one object: as text, or as JSON on many lines or on one. */
  async write<Whole extends object>(
    whole: Whole,
    toText: (whole: Whole, page: Run['page']) => string | Promise<string>,
  ): Promise<void> {
    const { output } = this.flags
    if (output === 'text') {
      this.streams.stdout.write(await toText(whole, this.page))
      return
    }
    const { jsonLine, jsonText } = await import('./report/json.ts')
    this.streams.stdout.write(output === 'json' ? jsonText(whole) : `${jsonLine(whole)}\n`)
  }

  complain(sentence: string): void {
    complain(this.streams, escapeText(sentence))
  }

  /** Says on stderr which captures could not be read: of several, the others count. */
  complainOfLeftOut(captures: Report['captures']): void {
    for (const { failure } of captures) if (failure !== null) this.complain(leftOut(failure))
  }

  /** Says on stderr what was wrong with the captures, where what is written does not. */
  complainOfIssues({ captures, issues }: Pick<Report, 'captures' | 'issues'>): void {
    this.complainOfLeftOut(captures)
    for (const { file, what, count } of issues) {
      const times = count > 1 ? ` (${plural(count, 'time')})` : ''
      this.complain(`${file}: ${what.replace(/\.$/, '')}${times}.`)
    }
  }

  /** Progress of what takes its time, where it disturbs nobody. */
  progress(wanted = true): Progress {
    return progressLine(this.streams, wanted)
  }

  /** What analyze is told of these files. Ctrl-C stops the reading. */
  options(files: string[], { show }: Progress): Options {
    const { streams, flags } = this
    if (files.length === 0) {
      if (streams.stdin.isTTY) this.root.help({ error: true })
      files = ['-']
    }
    if (files.filter(file => file === '-').length > 1)
      throw new UserError('standard input ("-") can be read only once.')
    const stop = new AbortController()
    streams.onInterrupt(() => stop.abort())
    return {
      files,
      filters: {
        namespace: flags.namespace ?? null,
        pod: flags.pod ?? null,
        name: flags.name ?? null,
        since: flags.since ?? null,
        until: flags.until ?? null,
      },
      hints: {
        resources: flags.resources ?? null,
        roles: flags.role ?? [],
        resolvConf: flags.resolvConf ?? null,
        clusterDomain: flags.clusterDomain ?? null,
      },
      ports: { dns: flags.dnsPort ?? [], tunnels: flags.tunnel ?? [] },
      signal: stop.signal,
      onProgress: show,
    }
  }
}
