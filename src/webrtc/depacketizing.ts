import { UnsupportedError } from '../media/errors.ts'
import type { AccessUnitSink } from '../rtp/access-unit.ts'
import type { Depacketizer } from '../rtp/depacketizer.ts'
import type { ChosenFormat } from './sdp/codec-choice.ts'

/** The depacketizer of a negotiated format. @throws UnsupportedError */
export function depacketizerOf(format: ChosenFormat, _sink: AccessUnitSink): Depacketizer {
  throw new UnsupportedError(`${format.codec} cannot be put together from packets yet`)
}
