import type { AmfValue } from '../container/flv/amf0.ts'
import { member } from './command.ts'

/** What is passed on, by FourCC: E-RTMP v2 "Enhancing NetConnection connect Command", FourCcInfoMask.CanForward. */
const CAN_FORWARD = 0x04
const VIDEO_FOURCCS = ['avc1', 'hvc1', 'av01', 'vp09', 'vp08']
const AUDIO_FOURCCS = ['mp4a', 'Opus', '.mp3', 'ac-3', 'ec-3', 'fLaC']
/** CapsExMask: Multitrack 0x02, ModEx 0x04, TimestampNanoOffset 0x08; not Reconnect 0x01. */
const CAPABILITIES = 0x0e

/**
 * What the answer to a connect says about enhanced RTMP; nothing to a peer that said nothing about it.
 * `object` is the command object of its connect.
 */
export function enhancedCapabilities(object: AmfValue): { [key: string]: AmfValue } {
  const asked = ['fourCcList', 'capsEx', 'videoFourCcInfoMap', 'audioFourCcInfoMap']
  if (!asked.some((key) => member(object, key) !== undefined)) return {}
  return {
    fourCcList: [...VIDEO_FOURCCS, ...AUDIO_FOURCCS],
    videoFourCcInfoMap: Object.fromEntries(VIDEO_FOURCCS.map((fourCc) => [fourCc, CAN_FORWARD])),
    audioFourCcInfoMap: Object.fromEntries(AUDIO_FOURCCS.map((fourCc) => [fourCc, CAN_FORWARD])),
    capsEx: CAPABILITIES,
  }
}
