#!/usr/bin/env node
const { load } = require('./load.js')

/** Whatever runs for less than this takes no memory worth saving. */
const SAVE_MEMORY_AFTER_MS = 50
// V8's nursery grows to 32 MB where much of it survives, as what is open does here. A quarter of that does as well: 35 MB less memory for
// 1 % of the time. Its limit can't be set any more when this runs, so its growth is ended once it is large enough.
const ENOUGH = 8 << 20

setTimeout(() => {
  const { getHeapSpaceStatistics, setFlagsFromString } = require('node:v8')
  // What is analysed dies young or soon; left alone, V8 lets the heap grow to several times of what is alive before it looks.
  setFlagsFromString('--heap-growing-percent=20')
  const growing = setInterval(() => {
    const nursery = getHeapSpaceStatistics().find(space => space.space_name === 'new_space')
    if (nursery && nursery.space_size < ENOUGH) return
    setFlagsFromString('--semi-space-growth-factor=1')
    clearInterval(growing)
  }, 5)
  growing.unref()
}, SAVE_MEMORY_AFTER_MS).unref()

load('./cli.cjs').main(process.argv)
