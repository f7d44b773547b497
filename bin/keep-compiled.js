/** The last step of the build: runs what most people run, and keeps what V8 compiled for it beside each file of the bundle. */
const { writeFileSync } = require('node:fs')
const { join } = require('node:path')
const { compiledFile, load, scripts } = require('./load.js')

const SAMPLE = join(__dirname, '..', 'samples', '00-search-chain.pcap')
const RUNS = [['--help'], [SAMPLE], ['lookups', SAMPLE]]

async function keepCompiled() {
  const { run } = load('./cli.cjs')
  const nowhere = { write: () => true }
  const console = { stdin: {}, stdout: nowhere, stderr: nowhere, env: {}, onInterrupt: () => {} }
  for (const args of RUNS) await run(['node', 'dnstrail', ...args], console)
  for (const [file, script] of scripts) writeFileSync(compiledFile(file), script.createCachedData())
}

keepCompiled()
