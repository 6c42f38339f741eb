/**
 * What a person at the terminal sees: steps in plain words, each with ✓ or ✗ and its time.
 *
 * @module
 */

/** Writes the story and remembers whether every expectation held. */
export interface Report {
  /** A heading. */
  chapter(title: string): void
  /** Does a step; a rejection is printed as ✗ and ends the story. */
  step<T>(what: string, work: () => Promise<T>): Promise<T>
  /** States what was expected and what came; ✗ when they differ. */
  expect(what: string, outcome: { readonly held: boolean; readonly detail: string }): void
  /** A line under the step before it. */
  note(text: string): void
  /** How many expectations did not hold. */
  failures(): number
}

/** The error of a step that was already printed: nothing more is to be said. */
export const STORY_ENDED = 'story_ended'

/**
 * Creates a report.
 *
 * @param write Receives whole lines.
 * @param millis Milliseconds of a monotonic clock.
 */
export function createReport(write: (line: string) => void, millis: () => number): Report {
  let failed = 0
  const seconds = (start: number) => `${((millis() - start) / 1000).toFixed(2)} s`
  return {
    chapter: (title) => write(`\n${title}`),
    note: (text) => write(`      ${text}`),
    failures: () => failed,
    async step(what, work) {
      const start = millis()
      try {
        const result = await work()
        write(`  ✓ ${what} (${seconds(start)})`)
        return result
      } catch (error) {
        failed += 1
        write(`  ✗ ${what} (${seconds(start)})`)
        write(`      ${error instanceof Error ? error.message : String(error)}`)
        throw Object.assign(new Error(what), { code: STORY_ENDED })
      }
    },
    expect(what, { held, detail }) {
      if (!held) failed += 1
      write(`  ${held ? '✓' : '✗'} ${what}: ${detail}`)
    },
  }
}
