/**
 * What a file imports, and whether its room may.
 *
 * Counts import and re-export statements, type imports, `import()` types, dynamic imports and `require`.
 *
 * @module
 */
import { dirname, join } from 'node:path/posix'
import ts from 'typescript'
import { ROOMS, type Room, TEST_TOOLS, TEST_VOCABULARY } from './rooms.js'
import { nodesOf, place, type SourceFile } from './source-files.js'

export interface Import {
  /** What is imported; undefined when it is computed while running. */
  readonly specifier: string | undefined
  readonly at: string
}

function moduleName(node: ts.Node): ts.Node | undefined {
  if (ts.isImportDeclaration(node)) return node.moduleSpecifier
  if (ts.isExportDeclaration(node)) return node.moduleSpecifier
  if (ts.isExternalModuleReference(node)) return node.expression
  if (ts.isImportTypeNode(node))
    return ts.isLiteralTypeNode(node.argument) ? node.argument.literal : node.argument
  if (ts.isCallExpression(node)) {
    const called = node.expression
    const imports =
      called.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(called) && called.text === 'require')
    return imports ? (node.arguments[0] ?? node) : undefined
  }
  return undefined
}

/** Every import of a file, in order. */
export function collectImports(file: SourceFile): readonly Import[] {
  return nodesOf(file.tree).flatMap((node) => {
    const name = moduleName(node)
    if (name === undefined) return []
    return [
      {
        specifier: ts.isStringLiteralLike(name) ? name.text : undefined,
        at: place(file, node),
      },
    ]
  })
}

/** `@scope/name/deep` and `name/deep` without what lies deep. */
export function packageOf(specifier: string): string {
  const parts = specifier.split('/')
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? specifier)
}

function judgeRelative(room: Room, file: SourceFile, specifier: string): string | undefined {
  if (!/\.(js|json)$/.test(specifier)) return 'a relative import names the file with its .js ending'
  const target = join(dirname(file.path), specifier)
  if (!target.startsWith(`${room.folder}/`)) return 'a relative import stays inside its room'
  if (!file.isTest && /\.test\.js$/.test(target)) return 'a source imports no test'
  return undefined
}

function judgeBuiltin(room: Room, file: SourceFile, specifier: string): string | undefined {
  if (file.isTest || room.builtins.includes('*') || room.builtins.includes(specifier)) return undefined
  return `${room.name} may not import ${specifier}`
}

function judgePackage(room: Room, file: SourceFile, specifier: string): string | undefined {
  const name = packageOf(specifier)
  if (file.isTest) return judgePackageOfTest(room, name)
  if (name === room.name) return 'a room imports its own files by relative path'
  if (name.startsWith('@attache/')) {
    if (!ROOMS.some((one) => one.name === name)) return `there is no room ${name}`
    if (name !== specifier) return `only ${name} itself is public`
    return room.rooms.includes(name.slice('@attache/'.length))
      ? undefined
      : `${room.name} may not import ${name}`
  }
  return room.outside.includes(name) ? undefined : `${room.name} may not import ${name}`
}

// An app is a composition: its tests may bring together what it brings together.
function judgePackageOfTest(room: Room, name: string): string | undefined {
  const rooms = room.folder.startsWith('apps/')
    ? room.rooms
    : room.rooms.filter((below) => TEST_VOCABULARY.includes(below))
  const allowed = [room.name, ...TEST_TOOLS, ...room.outside, ...rooms.map((below) => `@attache/${below}`)]
  if (allowed.includes(name)) return undefined
  return `a test beside its source imports its own room, core and keys, not ${name}: move it to test/`
}

function judgeImport(room: Room, file: SourceFile, specifier: string | undefined): string | undefined {
  if (specifier === undefined) return 'an import names its module as a literal'
  if (specifier.startsWith('.')) return judgeRelative(room, file, specifier)
  if (specifier.startsWith('node:')) return judgeBuiltin(room, file, specifier)
  return judgePackage(room, file, specifier)
}

/** Imports of one room that its row of the table does not allow. */
export function judgeImports(room: Room, files: readonly SourceFile[]): readonly string[] {
  return files.flatMap((file) =>
    collectImports(file).flatMap(({ specifier, at }) => {
      const problem = judgeImport(room, file, specifier)
      return problem === undefined ? [] : [`${at} ${problem}`]
    }),
  )
}

/** Circles of relative imports, type imports included, each as `a -> b -> a`. */
export function findCircles(files: readonly SourceFile[]): readonly string[] {
  const targets = new Map(
    files.map((file) => [
      file.path,
      collectImports(file).flatMap(({ specifier }) =>
        specifier?.startsWith('.') ? [join(dirname(file.path), specifier).replace(/\.js$/, '.ts')] : [],
      ),
    ]),
  )
  const circles: string[] = []
  const done = new Set<string>()
  const walk = (path: string, way: readonly string[]): void => {
    const start = way.indexOf(path)
    if (start !== -1) circles.push([...way.slice(start), path].join(' -> '))
    if (start !== -1 || done.has(path)) return
    for (const next of targets.get(path) ?? []) walk(next, [...way, path])
    done.add(path)
  }
  for (const path of targets.keys()) walk(path, [])
  return circles
}
