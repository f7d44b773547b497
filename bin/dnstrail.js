#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8'

// What is analysed dies young or soon; left alone, V8 lets the heap grow to several times of what is alive before it looks.
setFlagsFromString('--heap-growing-percent=20')

const { main } = await import('../dist/cli.js')
await main(process.argv)
