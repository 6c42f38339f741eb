/**
 * Sizes: lines of a file, lines and parameters of a function.
 *
 * A function is counted from its first to its last line, whatever stands inside it; only functions with a block
 * enter the middle values, since one-line callbacks say nothing about how a file reads.
 *
 * @module
 */
import ts from 'typescript'
import { nodesOf, place, type SourceFile } from './source-files.js'

/** What no file and no function may exceed, and where the middle of all of them lies. */
export const BUDGET = {
  file: { most: 400, p90: 250, median: 120 },
  function: { most: 60, p90: 40, median: 12 },
  parameters: 3,
} as const

export interface MeasuredFunction {
  readonly at: string
  readonly lines: number
  readonly parameters: number
  /** Whether it has a block, not only an expression. */
  readonly hasBlock: boolean
}

/** Lines of a file, the empty one after the last line break not counted. */
export function linesOf(file: SourceFile): number {
  return file.text.replace(/\n$/, '').split('\n').length
}

export function measureFunctions(file: SourceFile): readonly MeasuredFunction[] {
  return nodesOf(file.tree).flatMap((node) => {
    if (!ts.isFunctionLike(node) || !('body' in node)) return []
    const first = file.tree.getLineAndCharacterOfPosition(node.getStart(file.tree)).line
    const last = file.tree.getLineAndCharacterOfPosition(node.getEnd()).line
    const hasBlock = ts.isBlock(node.body ?? node)
    return [{ at: place(file, node), lines: last - first + 1, parameters: node.parameters.length, hasBlock }]
  })
}

/** The value that a share of all values does not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0
}

/** Parameters fixed from outside: Express tells an error handler by its four. */
function parametersAllowed(file: SourceFile): number {
  return file.path.startsWith('packages/express/') ? 4 : BUDGET.parameters
}

/** `replace(key, version, value, expiresAt?)` of the Store port, the one signature that was decided with four. */
function isStoreReplace(file: SourceFile, at: string): boolean {
  const line = file.text.split('\n')[Number(at.slice(at.lastIndexOf(':') + 1)) - 1] ?? ''
  return /\breplace\b/.test(line) && /\bversion\b/.test(line)
}

export function judgeSizes(file: SourceFile): readonly string[] {
  const problems: string[] = []
  const lines = linesOf(file)
  if (lines > BUDGET.file.most) problems.push(`${file.path} has ${lines} lines, at most ${BUDGET.file.most}`)
  for (const one of measureFunctions(file)) {
    if (one.lines > BUDGET.function.most) {
      problems.push(`${one.at} a function of ${one.lines} lines, at most ${BUDGET.function.most}`)
    }
    if (one.parameters > parametersAllowed(file) && !isStoreReplace(file, one.at)) {
      problems.push(
        `${one.at} ${one.parameters} parameters, at most ${BUDGET.parameters}: take an options object`,
      )
    }
  }
  return problems
}
