/**
 * Every key, signature, certificate, JWE and sealed text of Attaché.
 *
 * @module
 */
export {}
