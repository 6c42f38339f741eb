/**
 * Token Status List: allocate, pack, sign, resolve with cache.
 *
 * @module
 */
export {}
