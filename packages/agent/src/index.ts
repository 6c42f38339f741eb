/**
 * The fetch an agent calls, and the socket protocol it speaks with its wallet.
 *
 * @module
 */

export type { AgentFetchOptions } from './agent-fetch.js'
export { createAgentFetch, fetch } from './agent-fetch.js'
export type {
  AcceptRequest,
  ConsentRequest,
  CredentialsRequest,
  InboxReply,
  VisitSummary,
  VisitsReply,
  WaitingOffer,
} from './intake-protocol.js'
export {
  ACCEPT_PATH,
  CONSENT_PATH,
  INBOX_PATH,
  parseAcceptRequest,
  parseConsentRequest,
  parseCredentialsRequest,
  REQUEST_PATH,
  VISITS_PATH,
} from './intake-protocol.js'
export type { BodyDigest, MessageParts, ResponseReport } from './message-protocol.js'
export { parseResponseReport, RESPONSE_PATH } from './message-protocol.js'
export type {
  AgentStatus,
  CallbackRequest,
  CredentialStatus,
  ExplainReply,
  ExplainRequest,
  Explanation,
  Finding,
  KillSwitchRequest,
  MetricsReply,
  PresentReply,
  PresentRequest,
  ReceiveReply,
  ReceiveRequest,
  StatusReply,
  StatusRequest,
} from './operator-protocol.js'
export {
  CALLBACK_PATH,
  DOCTOR_PATH,
  EXPLAIN_PATH,
  KILL_SWITCH_PATH,
  METRICS_PATH,
  PRESENT_PATH,
  parseCallbackRequest,
  parseExplainRequest,
  parseKillSwitchRequest,
  parsePresentRequest,
  parseReceiveRequest,
  parseStatusRequest,
  RECEIVE_PATH,
  STATUS_PATH,
} from './operator-protocol.js'
export type { RemoteFiles, SocketCall, SocketReply } from './socket-call.js'
export { callSocket, walletUnreachable } from './socket-call.js'
export type {
  ApiChallenge,
  AuthorizationAnswer,
  AuthorizationQuestion,
  NonceReport,
  WalletHeaders,
} from './socket-protocol.js'
export {
  AUTHORIZATION_PATH,
  encodeAuthorizationAnswer,
  HEALTH_PATH,
  MAX_SOCKET_MESSAGE_BYTES,
  NONCE_PATH,
  parseAuthorizationAnswer,
  parseAuthorizationQuestion,
  parseNonceReport,
  SOCKET_HOST,
  SOCKET_PROTOCOL,
  tokenPathOf,
  writeAuthorizationAnswer,
  writeAuthorizationQuestion,
  writeNonceReport,
} from './socket-protocol.js'
export { isRecord } from './socket-read.js'
