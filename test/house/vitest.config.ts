/**
 * The test runner's configuration, passed with `--root . --config`.
 *
 * `ATTACHE_LEFT_OUT` names folders of suites whose system package is missing (set by `run.mjs`, never with
 * `CI=true`). The coverage of requirements reads this run's report and therefore runs after it, with
 * `ATTACHE_COVERAGE=1`.
 *
 * @module
 */
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Rooms resolve to their sources, so a test never runs against a stale build. */
const rooms = Object.fromEntries(
  readdirSync(`${root}/packages`, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => [`@attache/${entry.name}`, `${root}/packages/${entry.name}/src/index.ts`]),
)

const coverage = 'test/requirements/coverage.test.ts'
const leftOut = (process.env['ATTACHE_LEFT_OUT'] ?? '').split(',').filter((folder) => folder !== '')
const everything = ['packages/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts', 'test/*/**/*.test.ts']

export default defineConfig(
  process.env['ATTACHE_COVERAGE'] === '1'
    ? { test: { include: [coverage], allowOnly: false } }
    : {
        resolve: { alias: rooms },
        test: {
          include: everything,
          exclude: [
            '**/node_modules/**',
            '**/dist/**',
            'test/bench/**',
            coverage,
            ...leftOut.map((folder) => `${folder}/**`),
          ],
          allowOnly: false,
          // A test that asserts nothing proves nothing.
          expect: { requireAssertions: true },
          // A limit for hangs, far beyond what a loaded machine needs.
          testTimeout: 120_000,
          hookTimeout: 120_000,
          maxWorkers: 2,
        },
      },
)
