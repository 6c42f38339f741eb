/**
 * OpenID4VCI 1.0 messages, both halves.
 *
 * @module
 */
export {}
