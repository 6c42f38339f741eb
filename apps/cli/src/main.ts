#!/usr/bin/env node
/**
 * The command `attache`.
 *
 * @module
 */
import { attacheCommand } from './attache-command.js'

await attacheCommand().parseAsync()
