/**
 * Attaché routes and guards for Express.
 *
 * @module
 */
export type { ExpressVerifier } from './express-verifier.js'
export { createExpressVerifier } from './express-verifier.js'
export { guard } from './require-presentation.js'
export { createRouter } from './router.js'
