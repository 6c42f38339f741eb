/**
 * The wallet daemon as a process that can be killed: started with the path of its configuration and the time it is to
 * believe in; prints `ready` when its sockets are open.
 *
 * @module
 */
import { writeSync } from 'node:fs'
import { serve } from '../../apps/wallet/src/serve.js'

const [, , configPath = '', now] = process.argv
await serve(configPath, () => Number(now))
writeSync(1, 'ready\n')
