/**
 * @attache/core: the floor. Bytes, JSON, time, randomness, stores, handlers, outgoing calls, error kinds.
 *
 * No protocol word and no dependency.
 *
 * @module
 */
export { createAddressList, isInternalAddress } from './addresses.js'
export { decodeBase64url, decodeUtf8, encodeBase64url, equalText, isBase64url, utf8 } from './bytes.js'
export type { ClaimsPath, ClaimsPathElement } from './claims-path.js'
export { parseClaimsPath, selectByPath } from './claims-path.js'
export type { EndpointDeps } from './endpoint.js'
export { describeCause, endpoint, REQUEST_ID } from './endpoint.js'
export type { ConfigurationError, ProtocolErrorOptions } from './errors.js'
export { configurationError, ProtocolError, VerificationError } from './errors.js'
export type { GuardedFetchOptions, ResolveHost } from './guarded-fetch.js'
export { createGuardedFetch } from './guarded-fetch.js'
export type { Handler, PathParameters, Route, RouteHandler, Router } from './handler.js'
export { routeRequests } from './handler.js'
export type { JsonObject, JsonResult, JsonValue } from './json.js'
export {
  canonicalJson,
  isJsonArray,
  isJsonObject,
  isJsonValue,
  member,
  parseJson,
  setMember,
} from './json.js'
export type { Log, LogFields } from './log.js'
export { SILENT_LOG } from './log.js'
export { createMemoryStore } from './memory-store.js'
export { json, mediaType, NO_STORE, parseForm, readBody, readForm, readJson } from './messages.js'
export type { OutboundFetch, OutboundRequest } from './outbound.js'
export { OUTBOUND_ERRORS } from './outbound.js'
export type { Random } from './random.js'
export { randomId, randomText, systemRandom } from './random.js'
export type { Store, StoredEntry, StoredValue, StoreStep } from './store.js'
export {
  checkKey,
  checkSteps,
  DEFAULT_LIST_LIMIT,
  MAX_KEY_BYTES,
  MAX_VALUE_BYTES,
  SPENT_MARGIN_SECONDS,
  serializeValue,
  storeKey,
} from './store.js'
export type { Telemetry, TelemetryLabels } from './telemetry.js'
export { SILENT_TELEMETRY } from './telemetry.js'
export type { Clock, NumericDate } from './time.js'
export { systemClock } from './time.js'
export { parseHttpsUrl, wellKnownUrl, withoutTrailingSlash } from './url.js'
