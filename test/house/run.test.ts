import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { installationIsInStep, markInstallation } from './installation.mjs'
import { countTests } from './report.mjs'
import { missingPackages } from './system-packages.mjs'

const folder = mkdtempSync(join(tmpdir(), 'attache-house-'))

afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

describe('countTests', () => {
  const count = (testResults: readonly object[]) => {
    const path = join(folder, 'report.json')
    writeFileSync(path, JSON.stringify({ testResults }))
    return countTests(path)
  }
  const file = (status: string, ...statuses: readonly string[]) => ({
    name: 'a.test.ts',
    status,
    assertionResults: statuses.map((one, index) => ({ title: `t${index}`, status: one })),
  })

  test('counts what passed and what failed', () => {
    expect(count([file('failed', 'passed', 'passed', 'failed')])).toMatchObject({ passed: 2, failed: 1 })
  })

  test('counts a test that did not run as failed', () => {
    expect(count([file('passed', 'passed', 'pending', 'todo', 'skipped')])).toMatchObject({
      passed: 1,
      failed: 3,
    })
  })

  test('counts a file that could not be loaded, and a missing report, as failed', () => {
    expect(count([file('failed')])).toMatchObject({ passed: 0, failed: 1 })
    expect(countTests(join(folder, 'no-report.json'))).toMatchObject({ passed: 0, failed: 1 })
  })
})

describe('missingPackages', () => {
  const nginx = { command: 'nginx', debian: 'nginx-light', suites: ['test/proxy'] }
  const bin = join(folder, 'bin')
  const missing = () => missingPackages([nginx], { path: bin, root: folder }).map((one) => one.debian)

  test('names a package only when a suite of the tree needs it and its command is not there', () => {
    expect(missing()).toEqual([])

    mkdirSync(join(folder, 'test/proxy'), { recursive: true })
    expect(missing()).toEqual(['nginx-light'])

    mkdirSync(bin)
    writeFileSync(join(bin, 'nginx'), '#!/bin/sh\n')
    chmodSync(join(bin, 'nginx'), 0o755)
    expect(missing()).toEqual([])
  })
})

describe('installationIsInStep', () => {
  test('holds until a manifest or the lock file changes, or a dependency is gone', () => {
    const root = join(folder, 'workspace')
    mkdirSync(join(root, 'node_modules/zod'), { recursive: true })
    writeFileSync(join(root, 'node_modules/zod/package.json'), '{}')
    writeFileSync(join(root, 'package.json'), '{"dependencies":{"zod":"4.6.7"}}')
    writeFileSync(join(root, 'pnpm-lock.yaml'), 'one')
    writeFileSync(join(root, 'pnpm-workspace.yaml'), '')

    expect(installationIsInStep(root)).toBe(false)
    markInstallation(root)
    expect(installationIsInStep(root)).toBe(true)
    writeFileSync(join(root, 'pnpm-lock.yaml'), 'two')
    expect(installationIsInStep(root)).toBe(false)
    markInstallation(root)
    rmSync(join(root, 'node_modules/zod'), { recursive: true })
    expect(installationIsInStep(root)).toBe(false)
  })
})
