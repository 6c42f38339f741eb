/**
 * Fake issuer and wallet for the unit tests of API teams.
 *
 * @module
 */
export {}
