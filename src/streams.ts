/** Where text goes: the streams of the process, what is known of their screens, writes gathered into few, progress, a sentence on stderr. */

/** Below this many characters a write costs more than what it writes. */
const WRITE_SIZE = 1 << 16
/** A reader of a pipe sees what a slow capture brought after this at the latest. */
const FLUSH_AFTER_MS = 200
/** A capture that is read sooner than this needs no progress. */
const PROGRESS_AFTER_MS = 500
const PROGRESS_EVERY_MS = 100

/** What the command line needs of its process; tests give their own. */
export interface Streams {
  stdin: { isTTY?: boolean | undefined }
  stdout: Screen
  stderr: Screen
  env: Record<string, string | undefined>
  /** Calls back once, on the first Ctrl-C; the second one kills. */
  onInterrupt: (stop: () => void) => void
  /** Calls `leave` before the process ends or is stopped in whatever way, `comeBack` when it goes on. Gives back how to end that. */
  onLeave?: (leave: () => void, comeBack: () => void) => () => void
}

export interface Screen {
  isTTY?: boolean | undefined
  columns?: number | undefined
  rows?: number | undefined
  write: (text: string) => unknown
  on?: (event: 'resize', listener: () => void) => unknown
  off?: (event: 'resize', listener: () => void) => unknown
}

/** Gathers small texts into big writes. Writes to files, pipes and terminals block in Node on Unix, so nothing piles up behind them. */
export function batched(
  screen: Screen,
  flushAfterMs = FLUSH_AFTER_MS,
): { write: (text: string) => void; flush: () => void } {
  // Who watches a live capture wants each line at once.
  const size = screen.isTTY ? 1 : WRITE_SIZE
  let waiting = ''
  let timer: NodeJS.Timeout | null = null
  const flush = () => {
    if (timer) clearTimeout(timer)
    timer = null
    if (waiting !== '') screen.write(waiting)
    waiting = ''
  }
  return {
    write: text => {
      waiting += text
      if (waiting.length >= size) flush()
      else timer ??= setTimeout(flush, flushAfterMs)
    },
    flush,
  }
}

export interface Progress {
  show: (bytes: number, total: number | null) => void
  erase: () => void
}

/** One line on stderr that refreshes itself and disappears; only on a terminal and only when reading takes long. */
export function progressLine(streams: Streams, wanted: boolean): Progress {
  if (!wanted || !streams.stderr.isTTY) return { show: () => {}, erase: () => {} }
  let next = performance.now() + PROGRESS_AFTER_MS
  let shown = false
  return {
    show: (bytes, total) => {
      const now = performance.now()
      if (now < next) return
      next = now + PROGRESS_EVERY_MS
      shown = true
      const part = total !== null && total > 0 ? `, ${Math.min(100, Math.floor((100 * bytes) / total))} %` : ''
      streams.stderr.write(`\r\x1b[Kreading: ${(bytes / 1e6).toFixed(1)} MB${part} (Ctrl-C ends and reports)`)
    },
    erase: () => {
      if (shown) streams.stderr.write('\r\x1b[K')
      shown = false
    },
  }
}

export function complain(streams: Streams, sentence: string): void {
  streams.stderr.write(`dnstrail: ${sentence.replace(/\s*\n\s*/g, ' ')}\n`)
}

/** The option decides, then NO_COLOR and FORCE_COLOR (https://no-color.org), then whether somebody looks. */
export function colorful({ stdout, env }: Streams, color: boolean | undefined): boolean {
  if (color !== undefined) return color
  if (env.NO_COLOR) return false
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== '0'
  return stdout.isTTY === true && env.TERM !== 'dumb'
}

const WIDTH_OF_A_PIPE = 80

export function screenWidth({ stdout, env }: Streams): number {
  return stdout.columns || Number(env.COLUMNS) || WIDTH_OF_A_PIPE
}
