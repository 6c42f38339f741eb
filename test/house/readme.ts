/**
 * The TypeScript blocks of every README, compiled as if each were a file beside it.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import ts from 'typescript'
import { ROOT } from './source-files.js'

export interface Block {
  /** Path the block is compiled under, relative to the repository. */
  readonly path: string
  /** `README.md:line` of its first line. */
  readonly at: string
  readonly code: string
}

/** Fenced blocks marked `ts` or `typescript`. */
export function extractBlocks(readmePath: string, markdown: string): readonly Block[] {
  return [...markdown.matchAll(/^```(?:ts|typescript)\b[^\n]*\n([\s\S]*?)^```\s*$/gm)].map((match, index) => {
    const line = markdown.slice(0, match.index).split('\n').length + 1
    const path = join(dirname(readmePath), `readme-block-${index + 1}.ts`).replaceAll('\\', '/')
    return { path, at: `${readmePath}:${line}`, code: match[1] ?? '' }
  })
}

function readOptions(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(join(ROOT, 'test/tsconfig.json'), (path) => readFileSync(path, 'utf8'))
  const { tsBuildInfoFile: _, ...options } = ts.parseJsonConfigFileContent(
    config,
    ts.sys,
    join(ROOT, 'test'),
  ).options
  // A block shows a use; a name it leaves unused is no fault. Each block is a module of its own.
  return {
    ...options,
    incremental: false,
    noUnusedLocals: false,
    noUnusedParameters: false,
    moduleDetection: ts.ModuleDetectionKind.Force,
  }
}

/** What the compiler says about the blocks, each with the line of the README. */
export function compileBlocks(blocks: readonly Block[]): readonly string[] {
  const byPath = new Map(blocks.map((block) => [join(ROOT, block.path).replaceAll('\\', '/'), block]))
  const options = readOptions()
  const host = ts.createCompilerHost(options)
  const { fileExists, readFile, getSourceFile } = host
  host.fileExists = (path) => byPath.has(path) || fileExists(path)
  host.readFile = (path) => byPath.get(path)?.code ?? readFile(path)
  host.getSourceFile = (path, version, ...rest) => {
    const block = byPath.get(path)
    return block ? ts.createSourceFile(path, block.code, version) : getSourceFile(path, version, ...rest)
  }

  const program = ts.createProgram([...byPath.keys()], options, host)
  return [...byPath].flatMap(([path, block]) => {
    const file = program.getSourceFile(path)
    const found = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]
    return found.map((one) => {
      const line = file?.getLineAndCharacterOfPosition(one.start ?? 0).line ?? 0
      return `${block.at} (line ${line + 1} of the block) ${ts.flattenDiagnosticMessageText(one.messageText, ' ')}`
    })
  })
}
