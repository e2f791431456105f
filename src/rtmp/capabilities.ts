import type { AmfValue } from '../container/flv/amf0.ts'
import { member } from './command.ts'

/** What is passed on, by FourCC: E-RTMP v2 "Enhancing NetConnection connect Command", FourCcInfoMask.CanForward. */
const CAN_FORWARD = 0x04
const VIDEO_FOURCCS = ['avc1', 'hvc1', 'av01', 'vp09', 'vp08']
const AUDIO_FOURCCS = ['mp4a', 'Opus', '.mp3', 'ac-3', 'ec-3', 'fLaC']
/** CapsExMask. */
const MULTITRACK = 0x02
const MOD_EX = 0x04
const TIMESTAMP_NANO_OFFSET = 0x08

/**
 * What the answer to a connect says about enhanced RTMP; nothing to a peer that said nothing about it.
 * `object` is the command object of its connect.
 */
export function answeredCapabilities(object: AmfValue): { [key: string]: AmfValue } {
  const asked = ['fourCcList', 'capsEx', 'videoFourCcInfoMap', 'audioFourCcInfoMap']
  return asked.some((key) => member(object, key) !== undefined) ? ownCapabilities() : {}
}

/** What we can take and pass on, as members of a connect or its answer. */
export function ownCapabilities(): { [key: string]: AmfValue } {
  return {
    fourCcList: [...VIDEO_FOURCCS, ...AUDIO_FOURCCS],
    videoFourCcInfoMap: Object.fromEntries(VIDEO_FOURCCS.map((fourCc) => [fourCc, CAN_FORWARD])),
    audioFourCcInfoMap: Object.fromEntries(AUDIO_FOURCCS.map((fourCc) => [fourCc, CAN_FORWARD])),
    capsEx: MULTITRACK | MOD_EX | TIMESTAMP_NANO_OFFSET,
  }
}

/** Whether the peer says so in capsEx of its connect. */
export function takesMultitrack(object: AmfValue): boolean {
  const capsEx = member(object, 'capsEx')
  return typeof capsEx === 'number' && (capsEx & MULTITRACK) !== 0
}
