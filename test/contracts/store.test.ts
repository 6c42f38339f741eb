import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMemoryStore } from '@attache/core'
import { createLevelStore } from '@attache/storage'
import { examineStore } from './store.js'

examineStore('memory store', async (clock) => ({
  store: createMemoryStore({ clock }),
  dispose: async () => {},
}))

examineStore('level store', async (clock) => {
  const path = await mkdtemp(join(tmpdir(), 'attache-store-'))
  let opened = await createLevelStore({ path, clock })
  return {
    store: opened,
    async reopen() {
      await opened.close()
      opened = await createLevelStore({ path, clock })
      return opened
    },
    async dispose() {
      await opened.close()
      await rm(path, { recursive: true })
    },
  }
})
