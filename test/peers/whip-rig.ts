import { join } from 'node:path'
import { freePort, TapedeckProcess } from './tapedeck.ts'

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
}
