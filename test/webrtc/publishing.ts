import { vi } from 'vitest'
import type { EngineSession, PublishRequest } from '../../src/webrtc/engine.ts'
import { LocalEngine } from '../../src/webrtc/local-engine.ts'
import type { TransportState } from '../../src/webrtc/transport.ts'
import { type MemoryTransport, MemoryTransports } from './memory-transport.ts'
import { offerOf, publishRequest } from './offers.ts'
import { RtpSource } from './rtp-source.ts'
import { KeepingSink } from './sinks.ts'

/** An engine with one publisher that the test plays, on a clock that the test moves. */
export interface Publishing {
  readonly engine: LocalEngine
  readonly transports: MemoryTransports
  readonly transport: MemoryTransport
  readonly session: EngineSession
  readonly sink: KeepingSink
}

/** `vi.useFakeTimers` must hold: the engine's time is `vi.advanceTimersByTime`'s. */
export async function publishing(
  offer: string,
  more: Partial<PublishRequest> = {},
  state: TransportState = 'connected',
): Promise<Publishing> {
  const transports = new MemoryTransports()
  const engine = new LocalEngine(transports)
  const sink = new KeepingSink()
  const session = await engine.publish(publishRequest(offer, more), sink)
  const [transport] = transports.made
  if (state !== 'connecting') transport.move(state)
  return { engine, transports, transport, session, sink }
}

/** Chromium's camera and microphone as the fixture `chromium-camera` announces them: VP8 and Opus. */
export function chromiumSources(): { video: RtpSource; audio: RtpSource } {
  const ids = { 4: '1' }
  return {
    video: new RtpSource({
      ...{ ssrc: 147827419, payloadType: 96, clockRateHz: 90_000, extensions: ids, rtxExtensions: ids },
      rtx: { ssrc: 574582983, payloadType: 97 },
    }),
    audio: new RtpSource({ ssrc: 966676454, payloadType: 111, clockRateHz: 48_000, extensions: { 4: '0' } }),
  }
}

/** The offer of `chromiumSources`. */
export const CHROMIUM = offerOf('chromium-camera')

/** Lets `ms` pass, in steps of 5. */
export function pass(ms: number): void {
  for (let left = ms; left > 0; left -= 5) vi.advanceTimersByTime(Math.min(5, left))
}
