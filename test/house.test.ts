/** The house itself: what may import what, what a file may be called, where it is told of, what stands in package.json. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8')

/** Files of the repository: tracked ones and new ones that git does not ignore. */
const FILES = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\n')
  .filter(file => file !== '' && existsSync(join(ROOT, file)))
const SOURCES = FILES.filter(file => /^src\/.*\.ts$/.test(file))
const CODE = FILES.filter(file => /^(bin|src|test|bench)\/.*\.[jt]s$/.test(file))
const THIS = 'test/house.test.ts'

/** Top floor first. A file may import from its own floor and from those below. */
const FLOORS = [
  'cli arguments commands run streams terminal',
  'show watch what-if compare',
  'analyze live',
  'report',
  'findings',
  'trace',
  'input',
  'wire',
  'codes model quantities version well-known',
]

/** "src/trace/names.ts" stands on the floor "trace", "src/cli.ts" on "cli"; -1 for a file that belongs nowhere. */
function floorOf(file: string): number {
  const name = file.split('/')[1].replace(/\.ts$/, '')
  return FLOORS.findIndex(floor => floor.split(' ').includes(name))
}

/** What the import and export lines of a file name: relative ones as paths from the root, packages as they stand. */
function importsOf(file: string, text = read(file)): string[] {
  const named = [
    ...text.matchAll(/^(?:import|export)\b[^'"`;]*?\bfrom\s+['"]([^'"]+)['"]/gm),
    ...text.matchAll(/^import\s+['"]([^'"]+)['"]/gm),
    ...text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]\s*\)/g),
  ]
  return named.map(([, name]) => (name.startsWith('.') ? normalize(join(dirname(file), name)) : name))
}

const ownImports = (file: string, text?: string) => importsOf(file, text).filter(name => name.startsWith('src/'))

/** The first ring of files that import one another, or null. Types do not count: they are gone when the program runs. */
function cycle(files: string[]): string[] | null {
  const done = new Set<string>()
  const visit = (file: string, path: string[]): string[] | null => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file]
    if (done.has(file) || file.startsWith('src/wire/') || !existsSync(join(ROOT, file))) return null
    for (const next of ownImports(file, read(file).replace(/^(import|export) type\b[^;]*?from .*$/gm, ''))) {
      const ring = visit(next, [...path, file])
      if (ring) return ring
    }
    done.add(file)
    return null
  }
  for (const file of files) {
    const ring = visit(file, [])
    if (ring) return ring
  }
  return null
}

describe('the source', () => {
  test('stands on known floors', () => {
    expect(SOURCES.filter(file => floorOf(file) < 0)).toEqual([])
  })

  test('imports only go down', () => {
    const upward = SOURCES.flatMap(file =>
      ownImports(file)
        .filter(name => floorOf(name) < floorOf(file))
        .map(name => `${file} imports ${name}`),
    )
    expect(upward).toEqual([])
  })

  test('has no import cycle; but tunnels nest: in wire/, IP leads to GRE and GRE to IP again', () => {
    expect(cycle(SOURCES.filter(file => !file.startsWith('src/wire/')))).toBeNull()
  })

  test('has no drawer for unrelated things', () => {
    expect(FILES.filter(file => /(^|[/.-])(utils?|helpers?|common|misc)([/.-]|$)/i.test(file))).toEqual([])
  })

  test('names what it exports: no default export, no barrel', () => {
    expect(CODE.filter(file => /^export (default\b|\*)/m.test(read(file)))).toEqual([])
  })

  test('exports no value that no other file names', () => {
    const code = new Map(CODE.map(file => [file, read(file).replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')]))
    const words = new Map([...code].map(([file, text]) => [file, new Set(text.match(/\w+/g))]))
    const isNamed = (name: string, home: string) => [...words].some(([file, names]) => file !== home && names.has(name))
    const unused = SOURCES.flatMap(file =>
      [...code.get(file)!.matchAll(/^export (?:async )?(?:const|function|class) (\w+)/gm)]
        .filter(([, name]) => !isNamed(name, file))
        .map(([, name]) => `${file} exports ${name}`),
    )
    expect(unused).toEqual([])
  })

  test('a file over 450 lines says in its header why', () => {
    const long = SOURCES.filter(file => read(file).split('\n').length - 1 > 450)
    expect(long.filter(file => !/^\/\*\*(?:(?!\*\/)[\s\S])*Long because: \S/.test(read(file)))).toEqual([])
  })

  test('every file begins by saying what it is', () => {
    expect(SOURCES.filter(file => !read(file).startsWith('/**'))).toEqual([])
  })

  test('leaves no work for later in comments', () => {
    expect(CODE.filter(file => file !== THIS && /\b(TODO|FIXME|XXX)\b/.test(read(file)))).toEqual([])
  })
})

describe('ARCHITECTURE.md', () => {
  const text = read('ARCHITECTURE.md')
  /** Of the rows of these lists the list alone is named: what it imports. */
  const LISTS = ['src/findings/rules.ts', 'src/report/text.ts', 'src/wire/links.ts', 'src/wire/tunnels.ts']
  const rows = LISTS.flatMap(file => ownImports(file))
  const filesIn = (part: string) => [...part.matchAll(/`([\w/.-]+\.ts)`/g)].map(([, file]) => `src/${file}`)
  /** The first cells of tables. */
  const told = [...text.matchAll(/^\| (`[^|]*\.ts`) \|/gm)].flatMap(([, cell]) => filesIn(cell))

  test('names every file of src', () => {
    const named = filesIn(text)
    const missing = SOURCES.filter(file => !named.includes(file) && !rows.includes(file))
    const header = (file: string) => /[^\s/*].*/.exec(read(file))?.[0].replace(/ *\*\/$/, '')
    const lacking = missing.map(file => `| \`${file.slice(4)}\` | ${header(file)} |`)
    expect(lacking, 'rows to add to a table of "The data\'s journey", in short words').toEqual([])
  })

  test('has a row for no file twice, and for none that is gone', () => {
    expect(told.filter((file, i) => !SOURCES.includes(file) || told.indexOf(file) !== i)).toEqual([])
  })
})

describe('the package', () => {
  const manifest = JSON.parse(read('package.json')) as Record<
    'dependencies' | 'devDependencies',
    Record<string, string>
  > & {
    license: string
    scripts: Record<string, string>
  }

  test('versions are exact', () => {
    const versions = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })
    expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([])
  })

  test('the lock file names no registry', () => {
    expect(read('package-lock.json')).not.toContain('"resolved"')
  })

  test('every dependency is used, and nothing else is', () => {
    const packageOf = (name: string) => name.match(/^(@[^/]+\/)?[^/]+/)![0]
    const imported = (files: string[]) =>
      new Set(
        files
          .flatMap(file => importsOf(file))
          .filter(name => !/^(src|bench|test|dist|bin|\.\.|node:)/.test(name))
          .map(packageOf),
      )
    const inSource = imported(SOURCES)
    expect(Object.keys(manifest.dependencies).sort()).toEqual([...inSource].sort())
    const inTests = imported(CODE.filter(file => !SOURCES.includes(file)))
    const tools = Object.values(manifest.scripts).join(' ')
    const config = FILES.filter(file => /^[^/]*\.jsonc?$/.test(file) && !file.startsWith('package'))
      .map(read)
      .join('\n')
    const uses = (name: string) =>
      inTests.has(name) ||
      config.includes(name) ||
      (name === 'typescript' && tools.includes('tsc ')) ||
      (name === 'rolldown' && tools.includes('rolldown ')) ||
      (name === '@types/node' && config.includes('"types": ["node"]')) ||
      (name.startsWith('@types/') && (inSource.has(name.slice(7)) || inTests.has(name.slice(7))))
    expect(Object.keys(manifest.devDependencies).filter(name => !uses(name))).toEqual([])
  })

  test('carries its licence', () => {
    expect(manifest.license).toBe('Apache-2.0')
    expect(read('LICENSE')).toContain('Apache License')
    expect(read('README.md')).toContain('Copyright the dnstrail authors')
  })
})

test('no file names a path of the machine it was written on', () => {
  const machine = /(^|[\s"'`(=:])\/(work|root|home)\//m
  const text = FILES.filter(file => /(\.(ts|js|md|json|txt|jsonc)|^\.[\w/-]+)$/.test(file) && file !== THIS)
  expect(text.filter(file => machine.test(read(file)))).toEqual([])
})
