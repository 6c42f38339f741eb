/**
 * Stores behind the Store port: `level`, embedded, for one process.
 *
 * @module
 */

export type { LevelStore, LevelStoreOptions } from './level-store.js'
export { createLevelStore } from './level-store.js'
