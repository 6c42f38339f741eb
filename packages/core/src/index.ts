/**
 * Bytes, clock, random, Store port, handlers, guarded fetch and error kinds; the floor of Attaché.
 *
 * @module
 */
export {}
