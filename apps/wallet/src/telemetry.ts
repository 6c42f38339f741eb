/**
 * Metrics and spans: the telemetry port over prom-client and the OpenTelemetry API.
 *
 * Owns the names that operators put into their dashboards, and that the number of series stays bounded: a label is
 * an agent of the configuration, an operation, an outcome, or a code of our own tables. Spans go wherever the host
 * has registered a tracer provider (`NODE_OPTIONS=--import …`); without one they cost nothing. No trace context is
 * sent to peers: it would tell verifiers and issuers which of their requests belong together.
 *
 * Source: Prometheus exposition format 0.0.4; OpenTelemetry specification, trace API.
 *
 * @module
 */

import type { Telemetry, TelemetryLabels } from '@attache/core'
import { SpanStatusCode, type Tracer, trace } from '@opentelemetry/api'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'

/** The port, and what was counted. */
export interface RecordedTelemetry {
  readonly telemetry: Telemetry
  /** All series as text. */
  metrics(): Promise<string>
}

const LABELS = ['agent', 'operation', 'event', 'outcome', 'code', 'state'] as const
/** Upper bounds in seconds: from a header for a held token to an issuer that takes its time. */
const BUCKETS = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
/** Values one label may take; what comes later is counted as `other`. */
const MOST_VALUES = 500
const VALUE = /^[A-Za-z0-9._-]{1,64}$/

/** What is counted, under the name it has in the port. */
const COUNTERS: Readonly<Record<string, string>> = {
  'wallet.decisions': 'Decisions of the wallet, by event, outcome and code.',
}
const GAUGES: Readonly<Record<string, string>> = {
  'wallet.credentials': 'Credentials held, by state as of the last look.',
  'wallet.copies_left': 'Copies that can still be presented.',
  'wallet.renewals_due': 'Credentials whose renewal is due and not done.',
  'wallet.pending_issuances': 'Issuances under way.',
}

/**
 * Makes the telemetry of this process.
 *
 * @param deps.tracer @default the one of the registered provider
 * @param deps.seconds A clock for durations.
 */
export function createTelemetry(
  deps: { readonly tracer?: Tracer; readonly seconds?: () => number } = {},
): RecordedTelemetry {
  const { tracer = trace.getTracer('attache-wallet'), seconds = () => performance.now() / 1000 } = deps
  const registers = [new Registry()]
  const bounded = createBounds()
  const counters = instruments(COUNTERS, (name, help) => counter({ name: `${name}_total`, help, registers }))
  const gauges = instruments(GAUGES, (name, help) => gauge({ name, help, registers }))
  const durations = new Histogram({
    name: 'attache_wallet_operation_seconds',
    help: 'How long operations took, by what they ended with.',
    labelNames: ['operation', 'outcome'],
    buckets: BUCKETS,
    registers,
  })

  const telemetry: Telemetry = {
    count: (name, labels) => counters.get(name)?.inc(bounded(labels)),
    gauge: (name, labels, value) => gauges.get(name)?.set(bounded(labels), value),
    operation: (name, labels, work) =>
      tracer.startActiveSpan(name, { attributes: attributes(bounded(labels)) }, async (span) => {
        const started = seconds()
        let noted: TelemetryLabels = { outcome: 'done' }
        try {
          return await work((after) => {
            noted = { ...noted, ...after }
          })
        } catch (error) {
          // Neither message nor stack: both may speak of what was received.
          noted = { outcome: 'fault' }
          span.setStatus({ code: SpanStatusCode.ERROR })
          throw error
        } finally {
          const { outcome = 'done', ...rest } = bounded(noted)
          durations.observe({ operation: name, outcome }, seconds() - started)
          span.setAttributes(attributes({ outcome, ...rest }))
          span.end()
        }
      }),
  }
  return {
    telemetry,
    metrics: async () => (await Promise.all(registers.map((one) => one.metrics()))).join(''),
  }
}

type Described = { readonly name: string; readonly help: string; readonly registers: Registry[] }

function counter(described: Described): Counter<string> {
  return new Counter({ ...described, labelNames: ['event', 'outcome', 'code'] })
}

function gauge(described: Described): Gauge<string> {
  return new Gauge({
    ...described,
    labelNames: described.name.endsWith('credentials') ? ['agent', 'state'] : ['agent'],
  })
}

function instruments<T>(
  table: Readonly<Record<string, string>>,
  make: (name: string, help: string) => T,
): ReadonlyMap<string, T> {
  return new Map(
    Object.entries(table).map(([name, help]) => [name, make(`attache_${name.replaceAll('.', '_')}`, help)]),
  )
}

/** Labels as they may be kept: known names, short values, and not ever new ones. */
function createBounds(): (labels: TelemetryLabels) => Record<string, string> {
  const seen = new Map<string, Set<string>>(LABELS.map((name) => [name, new Set()]))
  return (labels) => {
    const kept: Record<string, string> = {}
    for (const [name, values] of seen) {
      const value = Object.hasOwn(labels, name) ? labels[name] : undefined
      if (value === undefined) continue
      const isKnown = values.has(value) || (VALUE.test(value) && values.size < MOST_VALUES)
      if (isKnown) values.add(value)
      kept[name] = isKnown ? value : 'other'
    }
    return kept
  }
}

function attributes(labels: TelemetryLabels): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).map(([name, value]) => [`attache.${name}`, value]))
}
