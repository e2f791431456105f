import { EngineServer } from '../../src/webrtc/link/engine-server.ts'
import { NdcTransportFactory } from '../../src/webrtc/ndc/factory.ts'
import { RelayingEngine } from './relaying-engine.ts'

/** A media process with an engine of the tests' own. */
new EngineServer(({ transport }) => new RelayingEngine(new NdcTransportFactory(transport))).run()
