/**
 * Stores behind the Store port: level.
 *
 * @module
 */
export {}
