import { defineConfig } from 'vitest/config'
import { closingLine } from './test/closing-line.ts'

// biome-ignore lint/style/noDefaultExport: vitest reads its configuration from the default export
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    reporters: ['default', closingLine],
    // Against what hangs, not against what is slow: no test is about time, and a machine may be busy.
    testTimeout: 60_000,
  },
})
