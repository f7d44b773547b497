/**
 * Loads what the build bundled, with the code that V8 compiled when it was built (keep-compiled.js): compiling is half of the time that
 * a small capture takes. V8 refuses what another version of it, or another flag, made; then it compiles anew.
 */
const { existsSync, readFileSync } = require('node:fs')
const { join } = require('node:path')
const { Script } = require('node:vm')

const BUNDLE = join(__dirname, '..', 'dist', 'bundle')
/** False in a clone in which nobody ran the build. */
const isBuilt = () => existsSync(join(BUNDLE, 'cli.cjs'))

/** By file. The build asks them for what V8 compiled. */
const scripts = new Map()
const loaded = new Map()

/**
 * What a file of the bundle exports, as in './cli.cjs'; of everything else what `require` gives.
 *
 * @param {string} name
 */
function load(name) {
  if (!name.startsWith('./')) return require(name)
  const known = loaded.get(name)
  if (known) return known.exports
  const file = join(BUNDLE, name)
  // The build writes nothing but ASCII, which needs no decoding: a function of what follows.
  const script = new Script(readFileSync(file, 'latin1'), { filename: file, cachedData: compiledOf(file) })
  const module = { exports: {} }
  scripts.set(file, script)
  loaded.set(name, module)
  script.runInThisContext()(module.exports, load, module, file)
  return module.exports
}

/** @param {string} file */
const compiledFile = file => `${file}.compiled`

/** @param {string} file */
function compiledOf(file) {
  try {
    return readFileSync(compiledFile(file))
  } catch {
    return undefined
  }
}

module.exports = { compiledFile, isBuilt, load, scripts }
