import { createHash } from 'node:crypto'

/**
 * A Lua script that Redis runs as one step. `ARGV[1]` is the prefix of all keys. Keys are made inside: a Redis cluster, which
 * wants them declared, is not supported.
 */
export class Script {
  readonly body: string
  /** By which Redis knows it once it has seen it. */
  readonly sha: string

  constructor(...parts: readonly string[]) {
    this.body = ['local P = ARGV[1]', ...parts].join('\n')
    this.sha = createHash('sha1').update(this.body).digest('hex')
  }
}
