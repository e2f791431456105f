import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RecordingObject } from '../../src/state/recording-object.ts'
import { freePort, TapedeckProcess } from './tapedeck.ts'
import { until } from './until.ts'

/** A server that takes WHIP, with reports of what it records. */
export class WhipServer {
  readonly tapedeck: TapedeckProcess
  /** Where its media comes in. */
  readonly udpPort: number

  private constructor(tapedeck: TapedeckProcess, udpPort: number) {
    this.tapedeck = tapedeck
    this.udpPort = udpPort
  }

  /** @param pages where the pages of browsers come from */
  static async start(directory: string, pages: string, ...flags: readonly string[]): Promise<WhipServer> {
    const udpPort = await freePort()
    const all = [
      '--webrtc-port',
      String(udpPort),
      '--record-report',
      '--no-thumbnails',
      '--cors-origins',
      pages,
      ...flags,
    ]
    return new WhipServer(await TapedeckProcess.start(join(directory, 'server'), ...all), udpPort)
  }

  whip(participant: string, room = 'live'): string {
    return `${this.tapedeck.http}/whip/${room}/${participant}`
  }

  whep(participant: string, room = 'live'): string {
    return `${this.tapedeck.http}/whep/${room}/${participant}`
  }

  /** Records room `live`: everybody, or those named. Returns the recording's id. */
  async record(participants?: readonly string[]): Promise<string> {
    const body = participants === undefined ? {} : { participants }
    return (await this.#api('POST', '/rooms/live/recording/start', body)).recording_id
  }

  recording(id: string): Promise<RecordingObject> {
    return this.#api('GET', `/rooms/live/recording/${id}/status`)
  }

  /** Stops a recording; what it is when it is complete. */
  async stopped(id: string): Promise<RecordingObject> {
    await this.#api('POST', `/rooms/live/recording/${id}/stop`)
    return this.completed(id)
  }

  completed(id: string): Promise<RecordingObject> {
    return until('the recording to be complete', async () => {
      const now = await this.recording(id)
      return now.status === 'completed' ? now : undefined
    })
  }

  /** The absolute path of a recording's file. */
  pathOf(path: string): string {
    const all = readdirSync(this.tapedeck.recordings, { recursive: true, encoding: 'utf8' })
    const mine = all.find((each) => each.endsWith(path))
    if (mine === undefined) throw new Error(`there is no ${path}`)
    return join(this.tapedeck.recordings, mine)
  }

  /** The process in which WebRTC runs; undefined while there is none. */
  get mediaPid(): number | undefined {
    for (const name of readdirSync('/proc')) {
      if (!/^\d+$/.test(name)) continue
      try {
        const parent = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))?.[1])
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8')
        if (parent === this.tapedeck.pid && command.includes('media-process')) return Number(name)
      } catch {
        // it ended meanwhile
      }
    }
    return undefined
  }

  async #api(method: string, path: string, body?: object): Promise<RecordingObject> {
    const headers = { 'content-type': 'application/json' }
    const request = body === undefined ? { method } : { method, headers, body: JSON.stringify(body) }
    const answer = await fetch(`${this.tapedeck.http}/api${path}`, request)
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
    return await answer.json()
  }
}
