/**
 * Reads the test runner's JSON report.
 *
 * Strict on purpose: a test that did not run, and a file that could not be loaded, count as failed.
 *
 * @module
 */
import { existsSync, readFileSync } from 'node:fs'

/**
 * @typedef {object} TestOutcome
 * @property {string} file
 * @property {string} title The test's own title, without those of its suites.
 * @property {string} status
 */

/**
 * @param {string} path Report written by the runner.
 * @returns {{ outcomes: TestOutcome[], brokenFiles: string[] }}
 */
export function readReport(path) {
  if (!existsSync(path)) return { outcomes: [], brokenFiles: ['the runner wrote no report'] }

  /** @type {{ testResults: { name: string, status: string, assertionResults: { title: string, status: string }[] }[] }} */
  const report = JSON.parse(readFileSync(path, 'utf8'))
  const outcomes = report.testResults.flatMap((file) =>
    file.assertionResults.map(({ title, status }) => ({
      file: file.name,
      title,
      status,
    })),
  )
  const brokenFiles = report.testResults
    .filter(
      (file) => file.status === 'failed' && !file.assertionResults.some((one) => one.status === 'failed'),
    )
    .map((file) => file.name)
  return { outcomes, brokenFiles }
}

/**
 * @param {string} path
 * @returns {{ passed: number, failed: number, notRun: string[] }}
 */
export function countTests(path) {
  const { outcomes, brokenFiles } = readReport(path)
  const notRun = outcomes.filter((one) => one.status !== 'passed' && one.status !== 'failed')
  const failed = outcomes.filter((one) => one.status === 'failed').length
  return {
    passed: outcomes.filter((one) => one.status === 'passed').length,
    failed: failed + notRun.length + brokenFiles.length,
    notRun: [...notRun.map((one) => `${one.file}: ${one.title}`), ...brokenFiles],
  }
}
