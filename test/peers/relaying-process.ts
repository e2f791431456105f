import { EngineServer } from '../../src/webrtc/link/engine-server.ts'
import { NdcTransportFactory } from '../../src/webrtc/ndc/factory.ts'
import { RelayingEngine } from './relaying-engine.ts'

/** A media process with an engine of the tests' own. `NAP_MS` of the environment: see `Gathering`. */
new EngineServer(
  ({ transport }) => new RelayingEngine(new NdcTransportFactory(transport, Number(process.env.NAP_MS ?? 0))),
).run()
