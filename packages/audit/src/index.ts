/**
 * Append-only hash chain with signed checkpoints.
 *
 * @module
 */
export {}
