/**
 * OpenID4VP 1.0 messages and DCQL, both halves.
 *
 * @module
 */
export {}
