/**
 * The issuer as a server.
 *
 * @module
 */
export {}
