import { EngineServer } from './link/engine-server.ts'
import { LocalEngine } from './local-engine.ts'
import { NdcTransportFactory } from './ndc/factory.ts'

/** The entry of the process in which WebRTC runs: what is native in it may abort, and takes no recording along. */
new EngineServer(
  ({ transport, maxSessions }) => new LocalEngine(new NdcTransportFactory(transport), { maxSessions }),
).run()
