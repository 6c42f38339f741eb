/**
 * A server in a process of its own, so that its CPU time is its own: both halves of the line to it.
 *
 * CPU time counts user and system time of all threads, signatures and fsync helpers included. Wall time would
 * count what else the machine does.
 *
 * @module
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { Session } from 'node:inspector/promises'
import { fileURLToPath } from 'node:url'

/**
 * Starts a server module of this folder.
 *
 * @param {string} file
 * @param {object} options Handed to its `serveProcess`; `tls` with key and cert makes it https.
 * @param {readonly string[]} [execArgv] Options of Node.
 */
export async function startServer(file, options, execArgv = []) {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), [], {
    execArgv: ['--expose-gc', ...execArgv],
    serialization: 'advanced',
  })
  const waiting = new Map()
  let calls = 0
  child.on('message', ({ id, value, error }) => {
    const { resolve, reject } = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) resolve(value)
    else reject(new Error(`${file}: ${error}`))
  })
  child.once('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`${file} ended with ${code}.`))
  })
  const call = (name, ...values) =>
    new Promise((resolve, reject) => {
      calls += 1
      waiting.set(calls, { resolve, reject })
      child.send({ id: calls, name, values })
    })
  const facts = await call('start', options)
  return {
    ...facts,
    call,
    /** @returns {Promise<number>} Milliseconds of CPU time so far. */
    cpu: () => call('cpu'),
    /** @returns {Promise<number>} Bytes on the heap after a collection. */
    heap: () => call('heap'),
    async stop() {
      const ended = once(child, 'exit')
      child.send({ id: 0, name: 'stop', values: [] })
      await ended
    },
  }
}

/**
 * The half in the server: listens, then lets `build` make what answers.
 *
 * @param {(options: object, origin: string) => Promise<{ listener?: import('node:http').RequestListener,
 *   operations?: object, facts?: object }>} build `origin` is https even where somebody else would end TLS.
 */
export function serveProcess(build) {
  let profiler
  let operations = {
    async start(options) {
      let listener = (_request, response) => void response.writeHead(503).end()
      const answer = (request, response) => listener(request, response)
      const server =
        options.tls === undefined ? createHttpServer(answer) : createHttpsServer(options.tls, answer)
      server.listen(0, 'localhost')
      await once(server, 'listening')
      const { port } = server.address()
      const origin = `https://localhost:${port}`
      const built = await build(options, origin)
      if (built.listener !== undefined) listener = built.listener
      operations = { ...operations, ...built.operations }
      return { ...built.facts, origin, port }
    },
    cpu() {
      const { user, system } = process.cpuUsage()
      return (user + system) / 1000
    },
    heap() {
      globalThis.gc?.()
      return process.memoryUsage().heapUsed
    },
    async profile() {
      profiler = new Session()
      profiler.connect()
      await profiler.post('Profiler.enable')
      await profiler.post('Profiler.start')
    },
    async profiled() {
      return (await profiler.post('Profiler.stop')).profile
    },
    stop: () => process.exit(),
  }
  // A bench that was stopped takes its servers with it.
  process.on('disconnect', () => process.exit())
  process.on('message', async ({ id, name, values }) => {
    try {
      process.send({ id, value: await operations[name](...values) })
    } catch (error) {
      process.send({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  })
}
