// @ts-check
/**
 * What the command runs: the modules of dist/ in a few large files, because Node opens, checks and links each of 250 small ones by
 * itself, which took as long as the analysis of a small capture. Packages stay what they are.
 */
import { readFileSync } from 'node:fs'
import { defineConfig } from 'rolldown'

const { dependencies } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'))

const config = defineConfig({
  input: 'dist/cli.js',
  platform: 'node',
  external: Object.keys(dependencies),
  output: { dir: 'dist/bundle', format: 'esm', cleanDir: true },
})

// biome-ignore lint/style/noDefaultExport: rolldown asks for one.
export default config
