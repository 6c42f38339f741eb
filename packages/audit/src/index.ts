/**
 * Append-only hash chain with signed checkpoints.
 *
 * @module
 */

export type { AuditEntry, AuditEvent, AuditHead } from './audit-entry.js'
export { GENESIS_HASH, hashEntry, parseAuditEntry } from './audit-entry.js'
export type { AuditTrail, AuditTrailDeps, AuditTrailOptions } from './audit-trail.js'
export { createAuditTrail } from './audit-trail.js'
export type { Checkpoint } from './checkpoint.js'
export { CHECKPOINT_TYPE, verifyCheckpoint } from './checkpoint.js'
export type { AuditProblem, AuditVerdict, ExpectedTrail } from './verify-trail.js'
export { AUDIT_PROBLEMS, verifyAuditEntries } from './verify-trail.js'
