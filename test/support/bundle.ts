/**
 * A source file and the rooms it imports as one file, for tests that start many processes of it.
 *
 * Bundled once, a process starts in milliseconds; from sources each would transpile the rooms again.
 *
 * @module
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** A bundle on the disk. */
export interface Bundle {
  /** To be run by Node. */
  readonly path: string
  remove(): void
}

/** Bundles a file. @param entry From the repository's root. */
export async function bundle(entry: string): Promise<Bundle> {
  // Inside node_modules, so that the database's native part is found.
  const folder = mkdtempSync(join(root, 'node_modules', '.attache-child-'))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  const alias = Object.fromEntries(
    readdirSync(join(root, 'packages')).map((room) => [
      `@attache/${room}`,
      join(root, 'packages', room, 'src/index.ts'),
    ]),
  )
  await build({
    root,
    configFile: false,
    logLevel: 'silent',
    resolve: { alias },
    ssr: { noExternal: true, external: ['level', '@cedar-policy/cedar-wasm'] },
    build: {
      ssr: join(root, entry),
      outDir: folder,
      emptyOutDir: false,
      minify: false,
      rollupOptions: { output: { entryFileNames: 'child.mjs', format: 'es' } },
    },
  }).catch((error: unknown) => {
    remove()
    throw error
  })
  return { path: join(folder, 'child.mjs'), remove }
}
