/**
 * What the language offers and this house does without: holes in the types, names that say nothing, left-overs.
 *
 * @module
 */
import { basename } from 'node:path/posix'
import ts from 'typescript'
import { nodesOf, place, type SourceFile } from './source-files.js'

/** Names under which anything could stand. */
export const FORBIDDEN_NAMES: readonly string[] = [
  'utils',
  'util',
  'helpers',
  'helper',
  'common',
  'shared',
  'misc',
  'types',
  'constants',
  'service',
  'manager',
  'base',
]

/** The only file with classes. */
const ERROR_KINDS = 'packages/core/src/errors.ts'

/** Where Express hands over streams whose types Node and the web standard declare differently. */
function isStreamCast(file: SourceFile, type: ts.TypeNode): boolean {
  return file.path.startsWith('packages/express/src/') && /Readable(Stream)?\b/.test(type.getText(file.tree))
}

function isConstAssertion(node: ts.AsExpression): boolean {
  return ts.isTypeReferenceNode(node.type) && node.type.getText() === 'const'
}

// `declare global`, and inside it the namespaces of others that are added to (Express types its request so).
function isAugmentation(node: ts.ModuleDeclaration): boolean {
  if (node.name.text === 'global') return true
  const { parent } = node.parent
  return ts.isModuleBlock(node.parent) && ts.isModuleDeclaration(parent) && parent.name.text === 'global'
}

function hasModifier(node: ts.Node, kind: ts.SyntaxKind): boolean {
  return ts.canHaveModifiers(node) && (ts.getModifiers(node) ?? []).some((modifier) => modifier.kind === kind)
}

function typeHole(file: SourceFile, node: ts.Node): string | undefined {
  if (node.kind === ts.SyntaxKind.AnyKeyword) return 'no `any`'
  if (ts.isNonNullExpression(node)) return 'no `!`'
  if ((ts.isVariableDeclaration(node) || ts.isPropertyDeclaration(node)) && node.exclamationToken)
    return 'no `!`'
  if (ts.isTypeAssertionExpression(node)) return 'no cast'
  if (ts.isAsExpression(node) && !isConstAssertion(node) && !isStreamCast(file, node.type)) {
    return 'no `as` but `as const`'
  }
  return undefined
}

function forbiddenDeclaration(file: SourceFile, node: ts.Node): string | undefined {
  if (ts.isExportAssignment(node)) return 'no default export'
  if (hasModifier(node, ts.SyntaxKind.DefaultKeyword)) return 'no default export'
  if (ts.isExportSpecifier(node) && node.name.text === 'default') return 'no default export'
  if (ts.isEnumDeclaration(node)) return 'no enum'
  if (ts.isModuleDeclaration(node) && ts.isIdentifier(node.name) && !isAugmentation(node))
    return 'no namespace'
  if (ts.isExportDeclaration(node) && (!node.exportClause || ts.isNamespaceExport(node.exportClause))) {
    return 'no `export *`'
  }
  if (ts.isClassLike(node) && file.path !== ERROR_KINDS) return 'no class outside the error kinds'
  return undefined
}

const TEST_CALLS = new Set(['test', 'it', 'describe', 'suite', 'bench'])
const NOT_RUN = new Set(['skip', 'only', 'todo', 'skipIf', 'runIf', 'fails'])
const NOT_RUN_NAMES = new Set(['xit', 'xtest', 'xdescribe', 'fit', 'fdescribe'])

function unrunTest(node: ts.Node): string | undefined {
  if (ts.isPropertyAccessExpression(node) && NOT_RUN.has(node.name.text)) {
    const [start = ''] = node.expression.getText().split(/[.(]/)
    if (TEST_CALLS.has(start)) return `no ${start}.${node.name.text}`
  }
  if (
    ts.isCallExpression(node) &&
    ts.isIdentifier(node.expression) &&
    NOT_RUN_NAMES.has(node.expression.text)
  ) {
    return `no ${node.expression.text}`
  }
  return undefined
}

/** Everything in a file's syntax that the house does without. */
export function judgeSyntax(file: SourceFile): readonly string[] {
  return nodesOf(file.tree).flatMap((node) => {
    const problem = typeHole(file, node) ?? forbiddenDeclaration(file, node) ?? unrunTest(node)
    return problem === undefined ? [] : [`${place(file, node)} ${problem}`]
  })
}

/** Comments that switch a check off. A test may expect a compile error: that is how a refusal by types is shown. */
export function judgeDirectives(file: SourceFile): readonly string[] {
  return file.text.split('\n').flatMap((line, index) => {
    const [directive] = /@ts-(ignore|nocheck|expect-error)/.exec(line.match(/(\/\/|\/\*).*/)?.[0] ?? '') ?? []
    if (directive === undefined || (directive === '@ts-expect-error' && file.isTest)) return []
    return [`${file.path}:${index + 1} no ${directive}`]
  })
}

/** A source opens with what it owns; the docstring ends with the module tag. */
export function judgeOpening(file: SourceFile): readonly string[] {
  const [opening = ''] = /^(?:#!.*\n)?\/\*\*[\s\S]*?\*\//.exec(file.text) ?? []
  return /@module\s*\*\/$/.test(opening) ? [] : [`${file.path} opens with a docstring that ends with @module`]
}

/** File and folder names that say nothing. */
export function judgeName(path: string): readonly string[] {
  const names = path.split('/').slice(0, -1)
  names.push(basename(path).split('.')[0] ?? '')
  return names.some((name) => FORBIDDEN_NAMES.includes(name)) ? [`${path} has a name that says nothing`] : []
}

// Put together while running, so that this file does not name what it looks for.
const LEFT_OVERS = new RegExp(
  `\\b(${['TO', 'FIX'].map((start, index) => start + ['DO', 'ME'][index]).join('|')})\\b`,
)

/** Work left for later does not stand in a file. */
export function judgeLeftOvers(path: string, text: string): readonly string[] {
  return text
    .split('\n')
    .flatMap((line, index) => (LEFT_OVERS.test(line) ? [`${path}:${index + 1} work left for later`] : []))
}
