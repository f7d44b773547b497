// @ts-check
/**
 * What the command runs: the modules of dist/ in a few large files, because Node opens, checks and links each of 250 small ones by
 * itself, which took as long as the analysis of a small capture. bin/load.js loads them; it says why it does that itself.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig } from 'rolldown'

const { dependencies } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'))
/** Needed at every start, and Node would look for each of their files by itself. */
const INLINED = ['commander', 'cli-table3']

const command = defineConfig({
  input: 'dist/cli.js',
  platform: 'node',
  external: Object.keys(dependencies).filter(name => !INLINED.includes(name)),
  // For sub-commands that are programs of their own, and ours are none.
  resolve: { alias: { 'node:child_process': false } },
  // A number that stands in another file is no look into that file's exports.
  optimization: { inlineConst: { mode: 'all' } },
  plugins: [{ name: 'for bin/load.js', generateBundle }],
  output: {
    dir: 'dist/bundle',
    cleanDir: true,
    format: 'cjs',
    strict: true,
    dynamicImportInCjs: false,
    comments: { legal: true, annotation: false, jsdoc: false },
    entryFileNames: '[name].cjs',
    chunkFileNames: '[name].cjs',
    codeSplitting: {
      groups: [
        { name: 'start', tags: ['$initial'], priority: 2 },
        { name: 'analysis', test: /dist\/(analyze|findings\/(choose|rules)|report\/text)\.js$/, priority: 1 },
      ],
    },
  },
})

/** What a decoding thread runs, in a file of its own that Node loads itself: a thread is started while there is something else to do. */
const decoderWorker = defineConfig({
  input: 'dist/input/decoder-worker.js',
  platform: 'node',
  external: Object.keys(dependencies),
  output: { dir: 'dist/bundle', format: 'cjs', entryFileNames: '[name].cjs', comments: false },
})

/**
 * Each file becomes a function, in ASCII: one that has to be decoded and put together takes longer.
 *
 * @this {import('rolldown').PluginContext}
 * @param {unknown} _options
 * @param {import('rolldown').OutputBundle} bundle
 */
function generateBundle(_options, bundle) {
  const packages = new Set()
  for (const file of Object.values(bundle)) {
    if (file.type !== 'chunk') continue
    const ascii = file.code.replace(/[^\0-\x7f]/g, c => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
    file.code = `(function (exports, require, module, __filename) {${ascii}\n})`
    for (const id of file.moduleIds) {
      const [folder] = /^[^\0]*\/node_modules\/(@[^/]+\/)?[^/]+/.exec(id) ?? []
      if (folder) packages.add(folder)
    }
  }
  this.emitFile({ type: 'asset', fileName: 'LICENSES', source: [...packages].sort().map(licenceOf).join('\n') })
}

/** @param {string} folder of a package */
function licenceOf(folder) {
  const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const files = readdirSync(folder).filter(file => /^licen[cs]e/i.test(file))
  return [`${name} ${version}\n`, ...files.map(file => readFileSync(join(folder, file), 'utf8'))].join('\n')
}

// biome-ignore lint/style/noDefaultExport: rolldown asks for one.
export default [command, decoderWorker]
