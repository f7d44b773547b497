#!/usr/bin/env node
const { load } = require('./load.js')

/** Whatever runs for less than this takes no memory worth saving. */
const SAVE_MEMORY_AFTER_MS = 50
// V8's nursery grows to 32 MB where much of it survives, as what is open does here. A quarter of that does as well: 35 MB less memory for
// 1 % of the time. Its limit can't be set any more when this runs, so it grows no further once it is large enough.
const ENOUGH = 8 << 20

setTimeout(() => {
  const { getHeapSpaceStatistics, setFlagsFromString } = require('node:v8')
  // What is analysed dies young or soon; left alone, V8 lets the heap grow to several times of what is alive before it looks.
  setFlagsFromString('--heap-growing-percent=20')
  // And it moves together what is left only where hardly anything is: a third of the heap is holes after some millions of frames. Told to
  // save memory it does so at each collection, for no time that could be measured, but shrinks the nursery too, which has to grow again.
  setFlagsFromString('--optimize-for-size')
  // Several threads at it would have as many half-filled pages each.
  setFlagsFromString('--no-parallel-compaction')
  let grows = true
  setInterval(() => {
    const nursery = getHeapSpaceStatistics().find(space => space.space_name === 'new_space')
    const isSmall = nursery !== undefined && nursery.space_size < ENOUGH
    if (isSmall === grows) return
    grows = isSmall
    setFlagsFromString(`--semi-space-growth-factor=${grows ? 2 : 1}`)
  }, 5).unref()
}, SAVE_MEMORY_AFTER_MS).unref()

load('./cli.cjs').main(process.argv)
