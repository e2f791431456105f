import { EngineServer } from './link/engine-server.ts'
import { LocalEngine } from './local-engine.ts'
import { NdcTransportFactory } from './ndc/factory.ts'

/**
 * Packets of many peers are taken together, ms: with 50 of them this halves what the main thread costs. It is less than what
 * congestion control takes for one burst (5 ms), so that arrival times are still of use to it.
 */
const GATHERING_MS = 4

/** The entry of the process in which WebRTC runs: what is native in it may abort, and takes no recording along. */
new EngineServer(({ transport, maxSessions }) => {
  return new LocalEngine(new NdcTransportFactory(transport, GATHERING_MS), { maxSessions })
}).run()
