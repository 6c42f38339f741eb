/**
 * Ask for a presentation, judge it, guard a route.
 *
 * @module
 */
export {}
