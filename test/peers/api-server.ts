import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { SignJWT } from 'jose'
import { type ServerOptions, serverSettings } from '../../src/config.ts'
import type { Logger } from '../../src/media/ports.ts'
import { TapedeckServer } from '../../src/server.ts'
import { scratch } from './tapedeck.ts'

/** What a token says beside its end. */
export type Claims = Readonly<Record<string, unknown>>

/** A whole server in this process, with a directory and ports of its own. */
export class ApiServer {
  readonly server: TapedeckServer
  /** `http://127.0.0.1:…` */
  readonly http: string
  readonly rtmp: string
  readonly recordings: string
  readonly data: string
  readonly secret: Uint8Array
  readonly #drop: () => void

  private constructor(server: TapedeckServer, at: { http: string; rtmp: string; path: string }, drop: () => void) {
    this.server = server
    this.http = at.http
    this.rtmp = at.rtmp
    this.recordings = join(at.path, 'recordings')
    this.data = join(at.path, 'data')
    this.secret = Buffer.from(readFileSync(join(this.data, 'secret'), 'utf8').trim())
    this.#drop = drop
  }

  static async start(options: ServerOptions = {}, logger?: Logger): Promise<ApiServer> {
    const { path, drop } = scratch('api')
    const settings = serverSettings({
      rtmp: '127.0.0.1:0',
      http: '127.0.0.1:0',
      recordDir: join(path, 'recordings'),
      dataDir: join(path, 'data'),
      recordAll: false,
      recordMinFreeMb: 0,
      thumbnails: false,
      ...options,
    })
    const server = new TapedeckServer(settings, logger)
    const { http, rtmp } = await server.start()
    const at = { http: `http://127.0.0.1:${http?.port}`, rtmp: `rtmp://127.0.0.1:${rtmp?.port}`, path }
    return new ApiServer(server, at, drop)
  }

  /** A token of this server. */
  token(claims: Claims, expiresIn: string | number = '10m'): Promise<string> {
    return new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).setExpirationTime(expiresIn).sign(this.secret)
  }

  async stop(): Promise<void> {
    await this.server.stop({ deadlineMs: 5000 })
    this.#drop()
  }
}
