/**
 * Attaché routes and guards for Express.
 *
 * @module
 */
export {}
