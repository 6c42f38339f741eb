/**
 * The Credential Issuer and its Authorization Server.
 *
 * @module
 */
export {}
