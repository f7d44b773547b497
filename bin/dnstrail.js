#!/usr/bin/env node
const { isBuilt, load } = require('./load.js')

/** Whatever runs for less than this takes no memory worth saving. */
const SAVE_MEMORY_AFTER_MS = 50
const MB = 1 << 20

// What is analysed dies young or soon; left alone, V8 lets the heap grow to several times of what is alive before it looks, and the nursery
// to 32 MB where much of it survives, as what is open does here: 110 MB more at a busy server for a tenth less time.
//
// The larger the heap, the more is done about it, so that no capture with some thousand names and clients takes more than 150 MB. Told to
// save memory, V8 moves together what is left at each collection (a third of the heap would be holes after some millions of frames), and
// shrinks the nursery: that takes another tenth of the time. A heap that is large all the same is that of a flood, or of tens of thousands
// of clients; to collect it each time that it grew by a seventh would take longer than the analysis.
const MODES = [
  { until: 72 * MB, nursery: 16 * MB, growing: 35, saves: false },
  { until: 160 * MB, nursery: 4 * MB, growing: 14, saves: true },
  { until: Number.POSITIVE_INFINITY, nursery: 16 * MB, growing: 60, saves: false },
]

setTimeout(() => {
  const { getHeapSpaceStatistics, setFlagsFromString } = require('node:v8')
  // Several threads at it would have as many half-filled pages each.
  setFlagsFromString('--no-parallel-compaction')
  // Some two thousand lines share the time, so what V8 copies into their callers (by default up to 920 bytes of bytecode each) has to be
  // compiled many times and makes nothing faster: with 200 half a million frames take a tenth less, three million as long as before.
  setFlagsFromString('--max-inlined-bytecode-size-cumulative=200')
  let mode = -1
  let grows = true
  setInterval(() => {
    let size = 0
    let nursery = 0
    for (const space of getHeapSpaceStatistics()) {
      size += space.space_size
      if (space.space_name === 'new_space') nursery = space.space_size
    }
    // There is no way back: what made the heap large mostly stays.
    while (mode < 0 || size > MODES[mode].until) {
      mode++
      setFlagsFromString(`--heap-growing-percent=${MODES[mode].growing}`)
      setFlagsFromString(MODES[mode].saves ? '--optimize-for-size' : '--no-optimize-for-size')
    }
    // The nursery's limit can't be set any more when this runs, so it grows no further once it is large enough.
    const isSmall = nursery < MODES[mode].nursery
    if (isSmall === grows) return
    grows = isSmall
    setFlagsFromString(`--semi-space-growth-factor=${grows ? 2 : 1}`)
  }, 5).unref()
}, SAVE_MEMORY_AFTER_MS).unref()

if (isBuilt()) load('./cli.cjs').main(process.argv)
else {
  process.stderr.write('dnstrail is not built yet: run npm ci.\n')
  process.exitCode = 2
}
