/**
 * The attache command.
 *
 * @module
 */
export {}
