/**
 * One policy decision port; rules and Cedar behind it.
 *
 * @module
 */
export {}
