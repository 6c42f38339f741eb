/**
 * The public surface of a room: what index.ts names, and whether each name is documented where it is declared.
 *
 * @module
 */
import { dirname, join } from 'node:path/posix'
import ts from 'typescript'
import { collectImports } from './imports.js'
import { nodesOf, place, type SourceFile } from './source-files.js'

export interface ExportedName {
  readonly name: string
  readonly at: string
  /** Declaration the name stands for; undefined when it cannot be found. */
  readonly declaration: { readonly file: SourceFile; readonly node: ts.Node } | undefined
}

/** Statements of an index.ts that are no named re-export. */
export function judgeIndex(index: SourceFile): readonly string[] {
  return index.tree.statements
    .filter(
      (statement) =>
        !(
          ts.isExportDeclaration(statement) &&
          statement.moduleSpecifier !== undefined &&
          statement.exportClause !== undefined &&
          ts.isNamedExports(statement.exportClause)
        ),
    )
    .map((statement) => `${place(index, statement)} index.ts only names what other files of the room export`)
}

function declaredNames(statement: ts.Statement): readonly (readonly [name: string, node: ts.Node])[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.map((one) => [one.name.getText(), statement])
  }
  const named =
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement)
  return named && statement.name !== undefined ? [[statement.name.text, statement]] : []
}

function targetOf(file: SourceFile, specifier: ts.Expression, room: ReadonlyMap<string, SourceFile>) {
  if (!ts.isStringLiteral(specifier)) return undefined
  return room.get(join(dirname(file.path), specifier.text).replace(/\.js$/, '.ts'))
}

interface PassedOn {
  /** Name in this file. */
  readonly name: string
  /** Name in the file it comes from. */
  readonly original: string
  readonly from: ts.Expression
}

/** Names that a statement imports or re-exports from another file. */
function passedOn(statement: ts.Statement): readonly PassedOn[] {
  const isExport = ts.isExportDeclaration(statement)
  if (!isExport && !ts.isImportDeclaration(statement)) return []
  const bindings = isExport ? statement.exportClause : statement.importClause?.namedBindings
  const from = statement.moduleSpecifier
  if (bindings === undefined || from === undefined) return []
  if (!ts.isNamedExports(bindings) && !ts.isNamedImports(bindings)) return []
  return [...bindings.elements].map((one) => ({
    name: one.name.text,
    original: (one.propertyName ?? one.name).text,
    from,
  }))
}

/** The declaration behind a name of a file, through re-exports and imports of the same room. */
function findDeclaration(
  file: SourceFile,
  name: string,
  room: ReadonlyMap<string, SourceFile>,
): ExportedName['declaration'] {
  for (const statement of file.tree.statements) {
    const declared = declaredNames(statement).find(([one]) => one === name)
    if (declared !== undefined) return { file, node: declared[1] }

    const found = passedOn(statement).find((one) => one.name === name)
    const target = found && targetOf(file, found.from, room)
    if (found && target) return findDeclaration(target, found.original, room)
  }
  return undefined
}

/** Every name that an index.ts exports. */
export function exportedNames(index: SourceFile, files: readonly SourceFile[]): readonly ExportedName[] {
  const room = new Map(files.map((file) => [file.path, file]))
  return nodesOf(index.tree)
    .filter(ts.isExportSpecifier)
    .map((element) => ({
      name: element.name.text,
      at: place(index, element),
      declaration: findDeclaration(index, element.name.text, room),
    }))
}

/** Exported names without a docstring at their declaration. */
export function judgeDocumentation(index: SourceFile, files: readonly SourceFile[]): readonly string[] {
  return exportedNames(index, files).flatMap(({ name, at, declaration }) => {
    if (declaration === undefined) return [`${at} ${name}: no declaration found in the room`]
    const documented = ts.getJSDocCommentsAndTags(declaration.node).some(ts.isJSDoc)
    return documented ? [] : [`${place(declaration.file, declaration.node)} ${name} has no docstring`]
  })
}

/** zod judges unknown input and nothing else: a file that imports it has a `parse…` function. */
export function judgeZodUse(files: readonly SourceFile[]): readonly string[] {
  return files
    .filter((file) => !file.isTest && collectImports(file).some(({ specifier }) => specifier === 'zod'))
    .filter((file) => !nodesOf(file.tree).some((node) => isNamedParse(node)))
    .map((file) => `${file.path} imports zod and parses nothing`)
}

function isNamedParse(node: ts.Node): boolean {
  const named = ts.isFunctionDeclaration(node) || ts.isVariableDeclaration(node)
  return named && /^(parse|read|migrate)/.test(node.name?.getText() ?? '')
}

/** Types of zod do not leave the file that parses. */
export function judgeZodTypes(files: readonly SourceFile[]): readonly string[] {
  return files
    .filter((file) => !file.isTest)
    .flatMap((file) =>
      file.tree.statements.flatMap((statement) => {
        const exported = ts.canHaveModifiers(statement)
          ? (ts.getModifiers(statement) ?? []).some((one) => one.kind === ts.SyntaxKind.ExportKeyword)
          : false
        return exported && mentionsZodType(statement)
          ? [`${place(file, statement)} a type of zod is exported`]
          : []
      }),
    )
}

function mentionsZodType(statement: ts.Statement): boolean {
  const signature = nodesOf(statement).filter(
    (node) => ts.isTypeNode(node) && /^(z\.|Zod)/.test(node.getText()) && !isInsideBody(node),
  )
  const schema =
    ts.isVariableStatement(statement) &&
    statement.declarationList.declarations.some((one) => /^z\s*\./.test(one.initializer?.getText() ?? ''))
  return signature.length > 0 || schema
}

function isInsideBody(node: ts.Node): boolean {
  for (let at: ts.Node | undefined = node.parent; at !== undefined; at = at.parent) {
    if (ts.isBlock(at)) return true
  }
  return false
}
