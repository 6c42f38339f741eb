/**
 * What every server process of Attaché starts with.
 *
 * @module
 */
export type { ConfiguredFiles, NamedKey } from './configured-files.js'
export { createConfiguredFiles, readText } from './configured-files.js'
export type { ListenerConfiguration, ListenerDeps, RunningListener, TlsFiles } from './https-listener.js'
export { createTlsServer, listenOn, startListener } from './https-listener.js'
export { nearestName } from './nearest-name.js'
export { createPinoLog } from './pino-log.js'
export type { StartUpFailure } from './start-up-error.js'
export { describeFailure, startUpError, systemFailure } from './start-up-error.js'
