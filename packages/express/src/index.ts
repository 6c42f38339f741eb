/**
 * Attaché routes and guards for Express and plain node:http.
 *
 * @module
 */
export type { ExpressVerifier, ExpressVerifierOptions } from './express-verifier.js'
export { createExpressVerifier } from './express-verifier.js'
export { createNodeListener } from './node-listener.js'
export type { Guard, GuardedLocals } from './presented-request.js'
export type { GuardOptions } from './require-presentation.js'
export { guard } from './require-presentation.js'
export { createRouter } from './router.js'
export type { DeclaredRoute } from './unguarded-routes.js'
export { checkGuards, listRoutes } from './unguarded-routes.js'
export type { ConnectionOptions } from './web-request.js'
